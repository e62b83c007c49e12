package scsstore

import (
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

// conforming is a backend whose SessionManager has whatever cookie the suite wants, on a
// store with the suite's clock.
type conforming struct{ *backend }

func (b conforming) WithConfig(c core.Config) (core.Backend, error) {
	inner, s := *b.backend, *b.store
	s.old.(*memory).now = c.Now
	s.cookie.Name, s.cookie.Path, s.cookie.Domain, s.cookie.Partitioned = c.Cookie.Name, c.Cookie.Path, c.Cookie.Domain, c.Cookie.Partitioned
	inner.store = &s
	return inner.WithConfig(c)
}

func TestConformance(t *testing.T) {
	for name, hash := range map[string]bool{"scs": false, "scs-hashed": true} {
		limits := map[string]string{"I2": "scs's stores find sessions only by their tokens: they cannot be listed, counted or ended one by one"}
		if !hash {
			limits["SEC7"] = "scs's stores hold the tokens themselves, unless HashTokenInStore is set: anyone who reads one can take sessions over"
		}
		adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
			Name: name,
			New: func(*testing.T) core.Backend {
				old := newOld(newMemory())
				old.HashTokenInStore, old.Cookie.Persist = hash, false
				return conforming{From(old, ourKeys).(*backend)}
			},
			Limits: limits,
		})
	}
}
