package gorillasessions

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// A Save after the first byte: told, or stored if it needs no cookie. A new value
// may be a login, and needs one.
func TestStoreSaveAfterTheHeader(t *testing.T) {
	for name, lateIsStored := range map[string]bool{"memory": true, "cookie": false} {
		v := newVisitor(t, backends()[name](), true, nil)
		late := func(key string, want error) {
			v.serve(func(w http.ResponseWriter, r *http.Request) {
				s := v.get(r, "app")
				_, _ = io.WriteString(w, "the response has begun")
				s.Values[key] = "change"
				if err := s.Save(r, w); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
			})
		}
		late("late", core.ErrTooLate)
		v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
		late("late", core.ErrTooLate)
		v.look("app", func(s *sessions.Session) { want(t, s, "late", nil) })
		if lateIsStored {
			late("k", nil)
			v.look("app", func(s *sessions.Session) { want(t, s, "k", "change") })
		} else {
			late("k", core.ErrTooLate)
		}
	}
}

// What was saved stays, as with gorilla's own stores; what was only set does not.
func TestC4StoreServerError(t *testing.T) {
	v := newVisitor(t, backends()["memory"](), true, nil)
	v.serve(func(w http.ResponseWriter, r *http.Request) {
		s := v.get(r, "app")
		s.Values["k"] = "saved"
		if err := s.Save(r, w); err != nil {
			t.Error(err)
		}
		httpadapter.Session(r).Set("own", "not committed")
		w.WriteHeader(http.StatusInternalServerError)
	})
	v.look("app", func(s *sessions.Session) { want(t, s, "k", "saved") })
	v.serve(func(_ http.ResponseWriter, r *http.Request) {
		if own, ok := core.Get[string](httpadapter.Session(r), "own"); ok {
			t.Errorf("C4: %q", own)
		}
	})
}

// A login keeps gorilla's sessions, a logout ends them all.
func TestI1StoreLoginAndLogout(t *testing.T) {
	for name, backend := range backends() {
		v := newVisitor(t, backend(), true, nil)
		v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
		before := v.cookies["session"]
		v.serve(func(w http.ResponseWriter, r *http.Request) {
			s := v.get(r, "app")
			httpadapter.Session(r).Login("ann")
			s.Values["n"] = 1
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
		})
		if v.cookies["session"] == before {
			t.Errorf("I1: %s: the token is the same", name)
		}
		v.look("app", func(s *sessions.Session) {
			want(t, s, "k", "v")
			want(t, s, "n", 1)
		})
		v.serve(func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Logout() })
		v.look("app", func(s *sessions.Session) {
			if !s.IsNew || len(s.Values) > 0 {
				t.Errorf("%s: after a logout: %v", name, s.Values)
			}
		})
	}
}

func TestE2StoreTooLarge(t *testing.T) {
	for name, backend := range backends() {
		for _, way := range ways {
			v := newVisitor(t, backend(), way.with, nil)
			v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
			v.serve(func(w http.ResponseWriter, r *http.Request) {
				s := v.get(r, "app")
				s.Values["large"] = &person{Name: strings.Repeat("x", 100<<10)}
				err := s.Save(r, w)
				var size *core.SizeError
				if !errors.As(err, &size) || size.Key != ValueKey("app", "large") {
					t.Errorf("E2: %s %s: %v", name, way.name, err)
				}
			})
			v.look("app", func(s *sessions.Session) { want(t, s, "k", "v") })
		}
	}
}

func TestNewStoreWithoutManager(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("NewStore(nil) does not panic")
		}
	}()
	NewStore(nil)
}

// borrowed is a context that nobody may wait for, as Fiber's is.
type borrowed struct {
	context.Context

	t *testing.T
}

func (c borrowed) Done() <-chan struct{} {
	c.t.Error("somebody waits for the end of a context that is used again")
	return c.Context.Done()
}

func TestStoreDoesNotWaitForBorrowedContexts(t *testing.T) {
	v, _ := flaky(t, false, nil) // not in process: loads and commits have timeouts
	for range 2 {
		r := httptest.NewRequestWithContext(borrowed{t.Context(), t}, http.MethodGet, "https://example.com/", nil)
		for name, value := range v.cookies {
			r.Header.Add("Cookie", name+"="+value)
		}
		w := httptest.NewRecorder()
		s := v.get(r, "app")
		n, _ := s.Values["n"].(int)
		s.Values["n"] = n + 1
		if err := s.Save(r, w); err != nil {
			t.Error(err)
		}
		v.keep(w)
	}
	v.look("app", func(s *sessions.Session) { want(t, s, "n", 2) })
}

// The end of a net/http client's request ends the wait for its session.
func TestStoreOfAClientThatHasGone(t *testing.T) {
	v, store := flaky(t, false, nil)
	v.edit("app", func(s *sessions.Session) { s.Values["k"] = "v" })
	asked := make(chan context.Context, 1)
	store.loading = asked
	ctx, gone := context.WithCancel(context.WithValue(t.Context(), http.ServerContextKey, &http.Server{ReadHeaderTimeout: time.Second}))
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
	r.Header.Set("Cookie", "session="+v.cookies["session"])
	gone()
	if _, err := v.store.Get(r, "app"); !errors.Is(err, core.ErrUnavailable) && err != nil {
		t.Error(err)
	}
	if loadCtx := <-asked; loadCtx.Err() == nil {
		t.Error("the load goes on though the client has gone")
	}
}
