package goredisstore_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestGuideSwitchEncryptionOn moves sessions from an unencrypted store to an
// encrypted one, under another prefix of the same Redis, while users are logged
// in. Without the move, unencrypted entries do not open.
func TestGuideSwitchEncryptionOn(t *testing.T) {
	server, prefix, next := redistest.Shared(t), redistest.UniquePrefix(t), redistest.UniquePrefix(t)
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	at := func(prefix string) core.Store {
		return goredisstore.New(newClient(t, server.Addr()), goredisstore.Config{Prefix: prefix})
	}
	var events []core.Event
	app := func(b core.Backend) http.Handler {
		m, err := core.New(b, core.Config{Observer: func(_ context.Context, e core.Event) { events = append(events, e) }})
		if err != nil {
			t.Fatal(err)
		}
		return httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := httpadapter.Session(r)
			if s.UserID() == "" && r.Header.Get("Cookie") == "" {
				fill(s)
				s.Login("ann")
			}
			w.Header().Set("User", s.UserID())
			s.Set("seen", true)
		}))
	}
	plain := core.ServerSide(at(prefix))
	ann := visitor{handler: app(plain)}
	ann.get(t)

	ann.handler = app(core.Migrating(plain, core.ServerSide(sealed.Store(at(next), keys))))
	for range 2 {
		if user := ann.get(t).Header.Get("User"); user != "ann" {
			t.Fatalf("after the switch the user is %q", user)
		}
	}
	names := server.Strings("KEYS", next+"*")
	if len(names) == 0 {
		t.Error("nothing was moved")
	}
	for _, name := range names {
		if strings.HasPrefix(name, next+"u:") {
			continue // its name is a hash, and it holds IDs
		}
		if value, _ := server.MustDo("GET", name).(string); strings.Contains(value, "Example") || strings.Contains(value, "ann") {
			t.Errorf("%s shows %q", name, value)
		}
	}

	bob := visitor{handler: app(plain)}
	bob.get(t)
	bob.handler = app(core.ServerSide(sealed.Store(at(prefix), keys)))
	events = nil
	if user := bob.get(t).Header.Get("User"); user != "" {
		t.Errorf("an entry that is not encrypted opened for %q", user)
	}
	if !slices.ContainsFunc(events, func(e core.Event) bool { return e.Kind == core.EventRejected && e.Reason == core.ReasonCorrupt }) {
		t.Errorf("events %v, want one that was rejected as corrupt", events)
	}
}
