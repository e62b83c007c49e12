// Package examples_test runs the adapter suite where all modules meet: every
// framework on gorilla's CookieStore. Memory and the native cookie are run by each adapter.
package examples_test

import (
	"crypto/rand"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/echoadapter/echoapp"
	"github.com/satchel-go/satchel/fiberadapter/fiberapp"
	"github.com/satchel-go/satchel/ginadapter/ginapp"
)

func TestConformance(t *testing.T) {
	gorillaCookie := adaptertest.Backend{
		Name: "gorilla-cookie",
		Sealer: func(*testing.T) core.Sealer {
			hashKey, blockKey := make([]byte, 32), make([]byte, 32)
			_, _ = rand.Read(hashKey) // never fails
			_, _ = rand.Read(blockKey)
			return gorillastore.NewSealer(hashKey, blockKey)
		},
		Limits: gorillastore.Limits(),
	}
	adaptertest.Run(t, "nethttp", httpapp.New, gorillaCookie)
	adaptertest.Run(t, "echo", echoapp.New, gorillaCookie)
	adaptertest.Run(t, "gin", ginapp.New, gorillaCookie)
	adaptertest.Run(t, "fiber", fiberapp.New, gorillaCookie)
}
