package adaptertest_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
)

// securityFaults are faults that the cases of the security checklist must find.
var securityFaults = []fault{
	{
		name: "deletes the cookies that it does not know",
		serve: func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
			httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if s := httpadapter.Session(r); s.IsNew() && r.Header.Get("Cookie") != "" {
					w.Header().Add("Set-Cookie", "__Host-session=; Max-Age=0; Path=/; Secure")
				}
				next.ServeHTTP(w, r)
			})).ServeHTTP(w, r)
		},
		caughtBy: []string{"SEC10_sessions_that_have_ended_look_like_none", "L1_SEC10_every_refusal_looks_alike"},
	},
	{
		name: "shows in errors what came with the request",
		serve: func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
			var x httpadapter.Exchange
			if err := x.Load(m, w, r, talkative{&x, w, r}); err != nil {
				x.Refuse(err)
				return
			}
			defer x.Close()
			next.ServeHTTP(&x, r.WithContext(x.SessionContext()))
			x.Finish(http.StatusOK)
		},
		caughtBy: []string{"SEC67_no_token_in_logs_JSON_and_answers"},
	},
	{
		name: "shows in the handlers' answers what came with the request",
		handler: func(f func(adaptertest.Request) error) func(adaptertest.Request) error {
			return func(r adaptertest.Request) error {
				r.SetHeader("X-Debug", r.RequestHeader("Cookie"))
				return f(r)
			}
		},
		caughtBy: []string{"SEC67_no_token_in_logs_JSON_and_answers"},
	},
	{
		name: "makes up a token where the core has none",
		wrap: onHeader(func(h http.Header) {
			if h.Get("Set-Cookie") == "" && h.Get("X-Content-Type-Options") != "" {
				h.Set("Set-Cookie", "__Host-session=1; Path=/; Secure")
			}
		}),
		caughtBy: []string{"SEC1_no_token_without_randomness"},
	},
	{
		name:     "takes the cookies apart",
		wrap:     onRequest(func(r *http.Request) { r.Header.Set("X-Cookies", fmt.Sprint(len(r.Cookies()))) }),
		alone:    true,
		caughtBy: []string{"SEC35_tiny_cookies_cost_no_memory"},
	},
	{
		name:     "leaves parameters in a pooled buffer",
		handler:  sticky(),
		caughtBy: []string{"SEC61_sparse_input_shows_nothing_of_others"},
	},
	{
		name: "keeps the timeouts among the values",
		handler: func(f func(adaptertest.Request) error) func(adaptertest.Request) error {
			return func(r adaptertest.Request) error {
				if r.Param("key") == "lifetime" {
					r.Session().SetTimeouts(core.NoTimeout, core.NoTimeout)
				}
				return f(r)
			}
		},
		caughtBy: []string{"I1_SEC65_values_touch_neither_identity_nor_times"},
	},
	{
		name: "keeps the time of login among the values",
		handler: func(f func(adaptertest.Request) error) func(adaptertest.Request) error {
			return func(r adaptertest.Request) error {
				if r.Param("key") == "authenticated" {
					r.Session().Login("ann")
				}
				return f(r)
			}
		},
		caughtBy: []string{"I1_SEC65_values_touch_neither_identity_nor_times"},
	},
	{
		name: "reads the cookies of an older standard",
		wrap: onRequest(func(r *http.Request) {
			if lines := r.Header["Cookie2"]; len(lines) > 0 {
				r.Header["Cookie"] = lines
			}
		}),
		caughtBy: []string{"SEC32_look_alike_headers_carry_nothing"},
	},
	{
		name: "takes the last of two cookies",
		wrap: onRequest(func(r *http.Request) {
			if cookies := r.Cookies(); len(cookies) > 0 {
				r.Header.Del("Cookie")
				r.AddCookie(cookies[len(cookies)-1])
			}
		}),
		caughtBy: []string{"L2_AD1_SEC31_any_duplicate_is_refused"},
	},
}

// talkative answers errors with everything that it knows.
type talkative struct {
	*httpadapter.Exchange
	w http.ResponseWriter
	r *http.Request
}

func (a talkative) AnswerError(err error) {
	a.w.WriteHeader(core.ErrorResponseFor(err).Status)
	_, _ = fmt.Fprintf(a.w, "%v: %v", err, a.r.Header) // the client may have gone
}

// sticky makes handlers whose requests keep the last request's parameters if they
// have none.
func sticky() func(func(adaptertest.Request) error) func(adaptertest.Request) error {
	var mu sync.Mutex
	last := map[string]string{}
	return func(f func(adaptertest.Request) error) func(adaptertest.Request) error {
		return func(r adaptertest.Request) error { return f(stickyRequest{r, &mu, last}) }
	}
}

type stickyRequest struct {
	adaptertest.Request
	mu   *sync.Mutex
	last map[string]string
}

func (r stickyRequest) Param(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v := r.Request.Param(name); v != "" {
		r.last[name] = v
	}
	return r.last[name]
}

// TestBrokenBackendsAreCaught is TestBrokenAdaptersAreCaught for faults in the
// backend.
func TestBrokenBackendsAreCaught(t *testing.T) {
	plain := func(compress bool) adaptertest.Backend {
		b := adaptertest.Cookie()
		b.Sealer = func(*testing.T) core.Sealer { return plainSealer{compress} }
		return b
	}
	changed := func(change func(core.Store) core.Store) adaptertest.Backend {
		b := adaptertest.Memory()
		b.Store = func(t *testing.T, now func() time.Time) core.Store { return change(adaptertest.Memory().Store(t, now)) }
		return b
	}
	for _, broken := range []struct {
		name     string
		backend  adaptertest.Backend
		caughtBy []string
	}{
		{"seals nothing", plain(false), []string{
			"E3_SEC40_nothing_opens_but_what_was_sealed", "SEC41_cookies_of_one_site_do_not_stand_for_each_other", "E2_SEC36_versions_are_not_mixed",
			"SEC7_nothing_kept_is_a_token",
		}},
		{"deletes nothing", changed(func(s core.Store) core.Store { return keepingStore{s} }), []string{"SEC19_revoked_in_every_spelling"}},
		{"compresses", plain(true), []string{"SEC45_length_tells_nothing"}},
		{"overwrites what is there", changed(func(s core.Store) core.Store { return overwritingStore{s} }), []string{"SEC69_repeating_random_source_shares_no_session"}},
	} {
		for _, name := range broken.caughtBy {
			if failed, said := adaptertest.Record(t, name, httpapp.New, broken.backend); !failed || !strings.Contains(said, adaptertest.Why(name)) {
				t.Errorf("%s: %s: failed %v\n%s", broken.name, name, failed, said)
			}
			for _, sound := range []adaptertest.Backend{adaptertest.Memory(), adaptertest.Cookie()} {
				if failed, said := adaptertest.Record(t, name, httpapp.New, sound); failed {
					t.Errorf("%s: fails on the sound %s:\n%s", name, sound.Name, said)
				}
			}
		}
	}
}

// plainSealer encodes records without any protection.
type plainSealer struct{ compress bool }

func (s plainSealer) Seal(_ context.Context, _ core.Scope, r *core.Record) (string, error) {
	data, err := r.MarshalBinary()
	if err != nil {
		return "", err
	}
	if s.compress {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			return "", err
		}
		if _, err := w.Write(data); err != nil {
			return "", err
		}
		if err := w.Close(); err != nil {
			return "", err
		}
		data = out.Bytes()
	}
	return base64.RawURLEncoding.EncodeToString(data), nil
}

func (s plainSealer) Open(_ context.Context, _ core.Scope, token string) (*core.Record, error) {
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, err
	}
	if s.compress {
		if data, err = io.ReadAll(flate.NewReader(bytes.NewReader(data))); err != nil {
			return nil, err
		}
	}
	return core.ParseRecord(data)
}

// overwritingStore saves a new entry even over an existing one.
type overwritingStore struct{ core.Store }

func (s overwritingStore) Unwrap() core.Store { return s.Store }

func (s overwritingStore) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if base == 0 {
		_ = s.Delete(ctx, id) // the entry may be absent
	}
	return s.Store.Save(ctx, id, e, base)
}

// keepingStore claims to delete, and does not.
type keepingStore struct{ core.Store }

func (s keepingStore) Unwrap() core.Store { return s.Store }

func (keepingStore) Delete(context.Context, core.ID) error { return nil }

func (keepingStore) DeleteAll(context.Context) error { return nil }
