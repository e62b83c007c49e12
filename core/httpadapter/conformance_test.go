package httpadapter_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "nethttp", httpapp.New) }

// TestConformanceEncrypted: encryption at rest takes no promise back.
func TestConformanceEncrypted(t *testing.T) {
	keys, err := core.ParseKeyring(core.GenerateKey() + "," + core.GenerateKey()) // in the middle of an exchange
	if err != nil {
		t.Fatal(err)
	}
	memory := adaptertest.Memory()
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name:  "encrypted",
		Store: func(t *testing.T, now func() time.Time) core.Store { return core.Encrypted(memory.Store(t, now), keys) },
	})
}
