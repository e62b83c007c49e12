package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
)

// said is the application's answer.
type said struct {
	User    string
	Flashes []string
	Missing []string // of the marks that were asked for
}

// fleet is a deployed version of the application, as a list of addresses: a
// server for each framework, all on one Manager.
type fleet []string

// newFleet starts the application on m, once in each framework.
func newFleet(t *testing.T, m *core.Manager) fleet {
	t.Helper()
	var running fleet
	for _, f := range frameworks {
		app := f.newApp(adaptertest.Config{Managers: []*core.Manager{m}, Routes: []adaptertest.Route{
			{Method: http.MethodPost, Path: "/login", Handler: func(r adaptertest.Request) error {
				r.Session().Login(r.Param("user"))
				return r.JSON(http.StatusOK, said{})
			}},
			{Method: http.MethodPost, Path: "/logout", Handler: func(r adaptertest.Request) error {
				r.Session().Logout()
				return r.JSON(http.StatusOK, said{})
			}},
			{Method: http.MethodPost, Path: "/mark", Handler: mark},
			{Method: http.MethodGet, Path: "/look", Handler: look},
		}})
		var listen net.ListenConfig
		l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			_ = app.Serve(l) // returns an error at the end: it was closed
			close(served)
		}()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := app.Shutdown(ctx); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
			<-served // that it was closed
		})
		running = append(running, "http://"+l.Addr().String())
	}
	return running
}

// mark writes a unique value, adds a flash with the same text, and says who is logged in.
func mark(r adaptertest.Request) error {
	s, m := r.Session(), r.Param("m")
	answer := said{User: userOf(s)}
	s.Set(m, m)
	s.Flash("", m)
	return r.JSON(http.StatusOK, answer)
}

// look shows the flashes, and says which marks are missing.
func look(r adaptertest.Request) error {
	s := r.Session()
	answer := said{User: userOf(s)}
	for m := range strings.SplitSeq(r.Param("marks"), ",") {
		if got, _ := core.Get[string](s, m); m != "" && got != m {
			answer.Missing = append(answer.Missing, m)
		}
	}
	for _, f := range s.Flashes() {
		answer.Flashes = append(answer.Flashes, f.Text)
	}
	return r.JSON(http.StatusOK, answer)
}

// userOf returns who is logged in: Satchel's user, or the value that an
// application on gorilla/sessions keeps for that.
func userOf(s *core.Session) string {
	if user := s.UserID(); user != "" {
		return user
	}
	user, _ := core.Get[string](s, "user")
	return user
}

// newGorillaFleet is the application before Satchel: it uses gorilla/sessions directly.
func newGorillaFleet(t *testing.T, store sessions.Store) fleet {
	t.Helper()
	handle := func(f func(s *sessions.Session, q url.Values, answer *said)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := store.Get(r, "session")
			if err == nil {
				user, _ := s.Values["user"].(string)
				answer := said{User: user}
				f(s, r.URL.Query(), &answer)
				if err = s.Save(r, w); err == nil {
					err = json.NewEncoder(w).Encode(answer)
				}
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/login", handle(func(s *sessions.Session, q url.Values, _ *said) { s.Values["user"] = q.Get("user") }))
	mux.Handle("/logout", handle(func(s *sessions.Session, _ url.Values, _ *said) { s.Options.MaxAge = -1 }))
	mux.Handle("/mark", handle(func(s *sessions.Session, q url.Values, _ *said) {
		s.Values[q.Get("m")] = q.Get("m")
		s.AddFlash(q.Get("m"))
	}))
	mux.Handle("/look", handle(func(s *sessions.Session, q url.Values, answer *said) {
		for m := range strings.SplitSeq(q.Get("marks"), ",") {
			if m != "" && s.Values[m] != m {
				answer.Missing = append(answer.Missing, m)
			}
		}
		for _, f := range s.Flashes() {
			answer.Flashes = append(answer.Flashes, f.(string))
		}
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return fleet{server.URL}
}

// visitor is a browser whose requests overlap. A cookie is for a host, whatever
// the port, so each request may go to any server, as behind a load balancer.
type visitor struct {
	*testing.T

	client   *http.Client
	user     string
	mayLeave bool // it may be logged out

	mu    sync.Mutex
	marks []string
	shown map[string]int // how often each flash was
}

func newVisitor(t *testing.T, user string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{T: t, user: user, shown: map[string]int{}, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}
}

// ask sends a request to one of the servers.
func (v *visitor) ask(to fleet, method, path string, params ...string) (answer said) {
	v.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	target := to[rand.IntN(len(to))] + path + "?" + q.Encode()
	r, err := http.NewRequestWithContext(v.Context(), method, target, nil)
	if err != nil {
		v.Error(err)
		return answer
	}
	w, err := v.client.Do(r)
	if err != nil {
		v.Error(err)
		return answer
	}
	body, err := io.ReadAll(w.Body)
	_ = w.Body.Close()
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", w.Status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		v.Errorf("%s %s: %v", method, path, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, f := range answer.Flashes {
		v.shown[f]++
	}
	return answer
}

// mark has the application write a unique value and a flash.
func (v *visitor) mark(to fleet, m string) {
	v.Helper()
	v.mu.Lock()
	v.marks = append(v.marks, m)
	v.mu.Unlock()
	if a := v.ask(to, http.MethodPost, "/mark", "m", m); a.User != v.user && (a.User != "" || !v.mayLeave) {
		v.Errorf("%s: %q is logged in, want %q", m, a.User, v.user)
	}
}

// check looks for everything that the visitor has written.
func (v *visitor) check(at fleet) {
	v.Helper()
	a := v.ask(at, http.MethodGet, "/look", "marks", strings.Join(v.marks, ","))
	if a.User != v.user || len(a.Missing) > 0 {
		v.Errorf("K1: %q is logged in, want %q; of %d marks are missing: %v", a.User, v.user, len(v.marks), a.Missing)
	}
	if a = v.ask(at, http.MethodGet, "/look"); len(a.Flashes) > 0 {
		v.Errorf("flashes were shown and are still there: %v", a.Flashes)
	}
	for _, m := range v.marks {
		if v.shown[m] != 1 {
			v.Errorf("the flash of %s was shown %d times", m, v.shown[m])
		}
	}
}
