// Package ginadapter gives Gin applications Satchel sessions.
package ginadapter

import (
	_ "github.com/gin-gonic/gin"           // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/core" // placeholder: keeps go.sum complete
)
