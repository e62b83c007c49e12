package httpadapter_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/core/sealed"
)

func TestConformance(t *testing.T) { adaptertest.Run(t, "nethttp", httpapp.New) }

// TestConformanceEncrypted shows that encryption at rest keeps every promise.
func TestConformanceEncrypted(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey() + "," + sealed.GenerateKey()) // in the middle of an exchange
	if err != nil {
		t.Fatal(err)
	}
	memory := adaptertest.Memory()
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name:  "encrypted",
		Store: func(t *testing.T, now func() time.Time) core.Store { return sealed.Store(memory.Store(t, now), keys) },
	})
}

// TestConformanceHybrid shows that copies keep every promise, after the window or where the
// newest state is asked for.
func TestConformanceHybrid(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Hybrid())
}

// TestConformanceBearerSealed shows that sessions in a header keep what those in an
// encrypted cookie keep.
func TestConformanceBearerSealed(t *testing.T) {
	b := adaptertest.Cookie()
	b.Name, b.Carrier = "bearer-sealed", core.Bearer
	adaptertest.Run(t, "nethttp", httpapp.New, b)
}
