package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// foreignSealer is a sealer of another module with all optional abilities. It
// seals with one of the core's.
type foreignSealer struct {
	core.Sealer
	invalid error
	config  *core.Config
	seen    []any // attachments
}

func (s *foreignSealer) Validate() error { return s.invalid }

func (s *foreignSealer) WithConfig(c core.Config) (core.Sealer, error) {
	if c.Namespace == "refused" {
		return nil, errors.New("not this namespace")
	}
	*s.config = c
	return s, nil
}

func (s *foreignSealer) Seal(ctx context.Context, scope core.Scope, r *core.Record) (string, error) {
	s.seen = append(s.seen, r.Attachment())
	return s.Sealer.Seal(ctx, scope, r)
}

func (s *foreignSealer) Open(ctx context.Context, scope core.Scope, token string) (*core.Record, error) {
	r, err := s.Sealer.Open(ctx, scope, token)
	if err == nil {
		r.Attach("found")
	}
	return r, err
}

func newForeign(t *testing.T) *foreignSealer {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return &foreignSealer{Sealer: sealed.Cookie(keys), config: new(core.Config)}
}

func TestForeignSealerIsAsked(t *testing.T) {
	s := newForeign(t)
	if _, err := core.New(core.ClientSide(s), core.Config{}); err != nil {
		t.Fatal(err)
	}
	if s.config.Codec == nil || s.config.Cookie.Name != "__Host-session" {
		t.Errorf("the Config lacks its defaults: %+v", s.config)
	}
	if _, err := core.New(core.ClientSide(s), core.Config{Namespace: "refused"}); err == nil {
		t.Error("the error of WithConfig is lost")
	}
	s.invalid = errors.New("weak key")
	if _, err := core.New(core.ClientSide(s), core.Config{}); !errors.Is(err, s.invalid) {
		t.Errorf("the error of Validate is lost: %v", err)
	}
}

// invalidStore is a store that refuses to be used.
type invalidStore struct{ core.Store }

func (invalidStore) Validate() error { return core.ErrUnsupported }

// wrappedStore wraps another, as the conformance suite does.
type wrappedStore struct{ core.Store }

func (w wrappedStore) Unwrap() core.Store { return w.Store }

func TestForeignStoreIsAsked(t *testing.T) {
	for _, store := range []core.Store{invalidStore{}, wrappedStore{invalidStore{}}} {
		if _, err := core.New(core.ServerSide(store), core.Config{}); !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("%T: %v", store, err)
		}
	}
}

// tunedStore is a store that a Manager's Config decides about.
type tunedStore struct {
	core.Store
	config *core.Config // of the Manager that uses this copy
}

func (s tunedStore) WithConfig(c core.Config) (core.Store, error) {
	if c.Namespace == "refused" {
		return nil, errors.New("not this namespace")
	}
	return tunedStore{s.Store, &c}, nil
}

func (s tunedStore) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.config == nil {
		return 0, errors.New("the store has not seen the Config")
	}
	return s.Store.Save(ctx, id, e, base)
}

func (s tunedStore) Unwrap() core.Store { return s.Store }

func TestForeignStoreIsGivenTheConfig(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, memory := range []core.Store{newMemory(t), struct{ core.Store }{newMemory(t)}} { // with and without a UserIndex
		tuned := tunedStore{memory, nil}
		for _, backend := range []core.Backend{
			core.ServerSide(tuned), core.ServerSide(sealed.Store(tuned, keys)), core.Migrating(core.ServerSide(newMemory(t)), core.ServerSide(tuned)),
		} {
			m, err := core.New(backend, core.Config{})
			if err != nil {
				t.Fatal(err)
			}
			newClient(t, m).do(func(s *core.Session) { s.Set("k", "v") })
			if _, err := core.New(backend, core.Config{Namespace: "refused"}); err == nil {
				t.Error("the error of WithConfig is lost")
			}
			_, indexed := memory.(core.UserIndex)
			if _, err := core.New(backend, core.Config{SessionLimit: 1}); (err == nil) != indexed {
				t.Errorf("the index of users: %v", err)
			}
		}
	}
}

// What Open attaches comes back at Seal, whatever has changed.
func TestAttachmentComesBack(t *testing.T) {
	s := newForeign(t)
	backend := core.ClientSide(s)
	m, err := core.New(backend, core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &core.Record{ID: core.ID{1}, CreatedAt: time.Now(), SavedAt: time.Now(), Expires: time.Now().Add(time.Hour)}
	token, err := s.Sealer.Seal(t.Context(), core.Scope{Name: "__Host-session", Purpose: "session"}, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, handle := range []func(*core.Session){
		func(x *core.Session) { x.Set("k", "v") },
		func(x *core.Session) { x.Login("u-1") },
	} {
		ex := &exchange{ctx: t.Context(), method: "GET", cookies: []string{"__Host-session=" + token}, response: map[string]string{}}
		x, err := m.Load(ex)
		if err != nil {
			t.Fatal(err)
		}
		handle(x)
		s.seen = nil
		if err := m.Commit(ex, x, 200); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.seen, []any{"found"}) || len(ex.setCookie) != 1 {
			t.Errorf("sealed with %v, set %d cookies", s.seen, len(ex.setCookie))
		}
	}
}

func TestWithContent(t *testing.T) {
	now := time.UnixMilli(1_900_000_000_000)
	r := &core.Record{ID: core.ID{1}, User: "u-1", CreatedAt: now, SavedAt: now, Expires: now, Remembered: true}
	flashes := []core.StoredFlash{
		{Number: 3, Kind: "info", Payload: []byte("a")},
		{Number: -1, Kind: "form", Typed: true, Payload: []byte{1}, Expires: now},
		{Number: -1, Payload: []byte{}},
	}
	full := r.WithContent(func(yield func(string, []byte) bool) {
		_ = yield("a", []byte{1}) && yield("b", []byte{2, 3})
	}, slices.Values(flashes))
	data, err := full.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	again, err := core.ParseRecord(data)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range again.Values() {
		keys = append(keys, key)
	}
	var numbers []int64
	for f := range again.StoredFlashes() {
		want := flashes[len(numbers)]
		if f.Kind != want.Kind || f.Typed != want.Typed || string(f.Payload) != string(want.Payload) || !f.Expires.Equal(want.Expires) {
			t.Errorf("got %+v, want %+v", f, want)
		}
		numbers = append(numbers, f.Number)
	}
	if !slices.Equal(keys, []string{"a", "b"}) || !slices.Equal(numbers, []int64{3, 4, 5}) || again.User != "u-1" || !again.Remembered {
		t.Errorf("keys %v, flashes %v, user %q", keys, numbers, again.User)
	}
	for range r.Values() {
		t.Error("the original has changed")
	}
	for range full.WithContent(nil, nil).StoredFlashes() {
		t.Error("flashes stay")
	}
}

// foreignBackend is a backend of another module.
type foreignBackend struct {
	core.Backend
	config *core.Config
}

func (b foreignBackend) WithConfig(c core.Config) (core.Backend, error) {
	if c.Namespace == "refused" {
		return nil, errors.New("not this namespace")
	}
	*b.config = c
	return foreignBackend{core.ClientSide(nil), b.config}, nil
}

func (b foreignBackend) Validate() error {
	if b.Backend == nil {
		return errors.New("it is empty")
	}
	return nil
}

func TestForeignBackendIsGivenTheConfig(t *testing.T) {
	b := foreignBackend{core.ServerSide(nil), new(core.Config)}
	m, err := core.New(b, core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if b.config.Codec == nil || b.config.Lifetime != 12*time.Hour {
		t.Errorf("the backend was given %+v", *b.config)
	}
	if !m.Traits().ClientSide {
		t.Error("the Manager does not use the Backend that WithConfig returned")
	}
	if _, err := core.New(b, core.Config{Namespace: "refused"}); err == nil {
		t.Error("the error of WithConfig is ignored")
	}
	if _, err := core.New(foreignBackend{nil, new(core.Config)}, core.Config{}); err == nil {
		t.Error("the error of Validate is ignored")
	}
}
