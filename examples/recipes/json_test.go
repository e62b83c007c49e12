package recipes

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// outage is a store that can be told to answer nothing.
type outage struct {
	core.Store
	down atomic.Bool

	overlap atomic.Int32  // this many Loads wait for each other
	met     chan struct{} // closed when they have
}

func (o *outage) Unwrap() core.Store { return o.Store }

func (o *outage) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if o.down.Load() {
		return core.Entry{}, errors.New("down")
	}
	e, err := o.Store.Load(ctx, id)
	switch left := o.overlap.Add(-1); {
	case left == 0:
		close(o.met)
	case left > 0:
		<-o.met
	}
	return e, err
}

func TestJSON(t *testing.T) {
	users.set("ann", "correct horse")
	for _, f := range frameworks(jsonNetHTTP, jsonEcho, jsonGin, jsonFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			store := &outage{Store: memstore.New(memstore.Config{}), met: make(chan struct{})}
			sessions := sessiontest.NewOn(t, core.ServerSide(store), func(c *core.Config) { c.Observer = func(context.Context, core.Event) {} })
			b := newBrowser(t, serve(t, f.app(sessions.Manager)), nil)
			login := func(contentType, body string) reply {
				t.Helper()
				return b.send("POST", "/api/login", contentType, body)
			}

			b.send("PUT", "/api/like", "", "").wants(401, `{"error":"log in first"}`)
			const right = `{"name":"ann","password":"correct horse"}`
			login("text/plain", right).wants(415, `{"error":"send JSON"}`)
			login("application/json", "{").wants(415, `{"error":"send JSON"}`)
			login("application/json", `{"name":"ann","password":"x"}`).wants(401, `{"error":"wrong name or password"}`)
			login("application/json; charset=utf-8", right).wants(200, `{"user":"ann"}`)

			store.overlap.Store(4) // as the requests of scripts do
			answers := make(chan string, 4)
			for range 4 {
				go func() {
					body := "none"
					defer func() { answers <- body }() // even if the request fails
					body = b.send("PUT", "/api/like", "", "").body
				}()
			}
			seen := map[string]bool{}
			for range 4 {
				seen[canonical(<-answers)] = true
			}
			for n := range 4 {
				if want := fmt.Sprintf(`{"likes":%d}`, n+1); !seen[want] {
					t.Errorf("none of four requests got %s: %v", want, seen)
				}
			}
			b.send("PUT", "/api/like", "", "").wants(200, `{"likes":5}`)

			store.down.Store(true)
			b.send("PUT", "/api/like", "", "").wants(503, `{"error":"Service Unavailable"}`)
			store.down.Store(false)
			b.send("PUT", "/api/like", "", "").wants(200, `{"likes":6}`) // still logged in

			b.send("DELETE", "/api/session", "", "").wants(204, "")
			b.send("PUT", "/api/like", "", "").wants(401, `{"error":"log in first"}`)
		})
	}
}
