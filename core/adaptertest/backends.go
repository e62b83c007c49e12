package adaptertest

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// Backend says where a run of the suite keeps its sessions. Set one of Store,
// Sealer and New, or Store and Sealer for [core.Hybrid].
type Backend struct {
	Name string

	// Store makes a new, empty store for [core.ServerSide]. The store reads the
	// clock now, if it can.
	Store func(t *testing.T, now func() time.Time) core.Store

	// Sealer makes a sealer for [core.ClientSide].
	Sealer func(t *testing.T) core.Sealer

	// New makes a backend that is neither. It must not come from core.ServerSide,
	// because the suite wraps the backend.
	New func(t *testing.T) core.Backend

	// Carrier is how tokens travel. Default the cookie.
	Carrier core.Carrier

	// Window is the backend's [core.Traits.Window], at most a second. If it is above zero,
	// cases see what others have changed after Settle. Cases about the ends of
	// sessions and tokens run a second time without it, with requests that always get the
	// newest state.
	Window time.Duration

	// Settle returns when no answer can be older than its call. Default: the clock that the
	// backend was given moves by Window.
	Settle func(t *testing.T)

	// Limits has the promises that the backend cannot keep, by ID, each with the
	// reason. Their cases then check what the backend does instead.
	Limits map[string]string
}

// Memory keeps sessions in a memstore. It keeps every promise.
func Memory() Backend {
	return Backend{
		Name: "memory",
		Store: func(t *testing.T, now func() time.Time) core.Store {
			store := memstore.New(memstore.Config{Now: now, SweepInterval: -1})
			t.Cleanup(func() { _ = store.Close() }) // its error is always nil
			return store
		},
	}
}

// Cookie keeps sessions in encrypted cookies.
func Cookie() Backend {
	return Backend{
		Name: "cookie",
		Sealer: func(t *testing.T) core.Sealer {
			keys, err := sealed.ParseKeyring(sealed.GenerateKey())
			if err != nil {
				t.Fatal(err)
			}
			return sealed.Cookie(keys)
		},
		Limits: ClientSideLimits(),
	}
}

// Hybrid keeps sessions in a memstore and copies of them in encrypted cookies, for the
// shortest window.
func Hybrid() Backend {
	return Backend{Name: "hybrid-memory", Store: Memory().Store, Sealer: Cookie().Sealer, Window: time.Second}
}

// ClientSideLimits returns the Limits of backends that keep the whole session
// with the client and nothing on the server.
func ClientSideLimits() map[string]string {
	return maps.Clone(clientSideLimits)
}

var clientSideLimits = map[string]string{
	"K1": "the last response that wrote wins: each carries the whole session",
	"K2": "nothing on the server knows of the logout: a write in flight, or a copied cookie, brings the session back until it expires",
	"K3": "every token that was handed out opens until it expires",
	"I1": "the token before a login opens until it expires",
	"I2": "the server does not know which sessions there are: they cannot be listed, counted or ended one by one",
	"L4": "nothing on the server knows that a token was superseded",
	"F6": "the last response that wrote wins, and showing a flash is a write: a flash that an overlapping request added can be lost",
}

// layered returns the backend behind a layer of faults, and the store itself if
// there is one.
func (b Backend) layered(t *testing.T, now func() time.Time, f *faults) (core.Backend, core.Store) {
	t.Helper()
	switch {
	case b.Store != nil:
		store := b.Store(t, now)
		faulty := &faultyStore{Store: store, faults: f}
		if b.Sealer != nil {
			return core.Hybrid(b.Sealer(t), faulty, b.Window), store
		}
		return core.ServerSide(faulty), store
	case b.Sealer != nil:
		return core.ClientSide(&faultySealer{Sealer: b.Sealer(t), faults: f}), nil
	case b.New != nil:
		return wrapBackend(b.New(t), f), nil
	}
	t.Fatalf("adaptertest: backend %q has neither Store nor Sealer nor New", b.Name)
	return nil, nil
}

// wrapBackend puts faults in front of a backend and keeps its abilities.
func wrapBackend(inner core.Backend, f *faults) core.Backend {
	outer := &faultyBackend{Backend: inner, faults: f}
	if dir, ok := inner.(core.Registry); ok {
		return struct {
			*faultyBackend
			core.Registry
		}{outer, dir}
	}
	return outer
}

// configured returns what a Manager with c uses for what a fault is around.
func configured[T any](inner T, c core.Config) (T, error) {
	if inner, ok := any(inner).(core.Configurable[T]); ok {
		return inner.WithConfig(c)
	}
	return inner, nil
}

// faultyBackend is a backend that can be told to fail. A client-side one works
// like a sealer: touching means sealing, and deleting calls nothing.
type faultyBackend struct {
	core.Backend
	faults *faults
}

// WithConfig implements [core.Configurable], for a backend that does.
func (b *faultyBackend) WithConfig(c core.Config) (core.Backend, error) {
	inner, err := configured(b.Backend, c)
	return wrapBackend(inner, b.faults), err
}

// Load implements [core.Backend].
func (b *faultyBackend) Load(ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
	if err := b.faults.before(ctx, opLoad); err != nil {
		return core.LoadResult{}, err
	}
	return b.Backend.Load(ctx, scope, presented)
}

// Save implements [core.Backend].
func (b *faultyBackend) Save(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle, renew bool) (core.Handle, string, error) {
	if err := b.faults.before(ctx, opSave); err != nil {
		return nil, "", err
	}
	handle, token, err := b.Backend.Save(ctx, scope, r, base, renew)
	if lost := b.faults.after(opSave); err == nil && lost != nil {
		return nil, "", lost
	}
	return handle, token, err
}

// Touch implements [core.Backend].
func (b *faultyBackend) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
	o := opTouch
	if b.Traits().ClientSide {
		o = opSave
	}
	if err := b.faults.before(ctx, o); err != nil {
		return nil, core.Tokens{}, err
	}
	return b.Backend.Touch(ctx, scope, r, base)
}

// Delete implements [core.Backend].
func (b *faultyBackend) Delete(ctx context.Context, handle core.Handle) error {
	if !b.Traits().ClientSide {
		if err := b.faults.before(ctx, opDelete); err != nil {
			return err
		}
	}
	return b.Backend.Delete(ctx, handle)
}
