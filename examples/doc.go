// Package examples holds one demo application in each framework.
package examples

import (
	_ "github.com/satchel-go/satchel/core"              // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/core/gorillastore" // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/echoadapter"       // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/fiberadapter"      // placeholder: keeps go.sum complete
	_ "github.com/satchel-go/satchel/ginadapter"        // placeholder: keeps go.sum complete
)
