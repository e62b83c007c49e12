// Package fiberadapter gives Fiber v2 applications Satchel sessions.
package fiberadapter

import (
	_ "github.com/gofiber/fiber/v2"        // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/core" // placeholder: keeps go.sum complete
)
