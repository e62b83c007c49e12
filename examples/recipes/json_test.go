package recipes

import (
	"context"
	"errors"
	"sync"
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
}

func (o *outage) Unwrap() core.Store { return o.Store }

func (o *outage) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if o.down.Load() {
		return core.Entry{}, errors.New("down")
	}
	return o.Store.Load(ctx, id)
}

func TestJSON(t *testing.T) {
	users.set("ann", "correct horse")
	for _, f := range frameworks(jsonNetHTTP, jsonEcho, jsonGin, jsonFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			store := &outage{Store: memstore.New()}
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

			var all sync.WaitGroup
			for range 4 { // overlapping, as scripts do
				all.Go(func() { b.send("PUT", "/api/like", "", "") })
			}
			all.Wait()
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
