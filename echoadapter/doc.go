// Package echoadapter gives Echo v4 applications Satchel sessions.
package echoadapter

import (
	_ "github.com/labstack/echo/v4"        // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/core" // placeholder: keeps go.sum complete
)
