// Command consumer is what somebody else's program looks like: it uses every
// module by its published name. The smoke tool runs it outside this repository.
package main

import (
	"fmt"

	_ "github.com/satchel-go/satchel/core"
	_ "github.com/satchel-go/satchel/core/gorillastore"
	_ "github.com/satchel-go/satchel/echoadapter"
	_ "github.com/satchel-go/satchel/fiberadapter"
	_ "github.com/satchel-go/satchel/ginadapter"
)

func main() {
	// EXTEND HERE: serve one request through each adapter and exit with an
	// error if the answer is not the expected one.
	fmt.Println("smoke: consumer ran")
}
