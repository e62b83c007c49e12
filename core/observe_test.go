package core_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// pathExchange is an exchange that reports its path and came over plain HTTP.
type pathExchange struct {
	*exchange
	path string
}

func (x pathExchange) Secure() bool        { return false }
func (x pathExchange) RequestPath() string { return x.path }

func TestObserveIsForDevelopmentOnly(t *testing.T) {
	w := server(t)
	var none []core.Event
	if err := w.m.Observe(func(_ context.Context, e core.Event) { none = append(none, e) }); !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), "Config.Development") {
		t.Errorf("outside development: %v", err)
	}
	newClient(t, w.m).do(func(s *core.Session) { s.Set("k", "v") })
	if len(none) != 0 {
		t.Errorf("a refused observer was told %v", none)
	}

	w = server(t, func(c *core.Config) { c.Development = true })
	var a, b []core.EventKind
	for _, kinds := range []*[]core.EventKind{&a, &b} {
		if err := w.m.Observe(func(_ context.Context, e core.Event) { *kinds = append(*kinds, e.Kind) }); err != nil {
			t.Fatal(err)
		}
	}
	newClient(t, w.m).do(func(s *core.Session) { s.Set("k", "v") })
	want := "absent created finished"
	for _, kinds := range [][]core.EventKind{a, b} {
		if got := joined(kinds); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	if w.events.count(core.EventCreated) != 1 {
		t.Error("Config.Observer was not told any more")
	}
}

func joined(kinds []core.EventKind) string {
	var b strings.Builder
	for i, k := range kinds {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(k))
	}
	return b.String()
}

// TestEventsSayWhichRequestAndWhen: events of one request share a number, and have
// its method and path, even if they come too late or from elsewhere.
func TestEventsSayWhichRequestAndWhen(t *testing.T) {
	w := server(t)
	var told []core.Event
	w.m = w.manager(core.ServerSide(w.store), func(c *core.Config) {
		c.Observer = func(_ context.Context, e core.Event) { told = append(told, e) }
	})
	admin := newClient(t, w.m)
	admin.do(func(s *core.Session) { s.Login("root") })
	alice := newClient(t, w.m)
	alice.do(func(s *core.Session) { s.Login("alice") })
	id := alice.id()
	told = nil

	x := pathExchange{admin.exchange(), "/admin/end"}
	s, err := w.m.Load(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.m.Revoke(s.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := w.m.Commit(x, s, 204); err != nil {
		t.Fatal(err)
	}
	w.m.Finish(s)
	w.m.Finish(s) // a second call emits nothing
	s.Set("k", "late")

	var kinds []core.EventKind
	for _, e := range told {
		kinds = append(kinds, e.Kind)
		if e.Request.Number == 0 || e.Request != told[0].Request || e.Request.Path != "/admin/end" || e.Request.Method != x.method || !e.Time.Equal(w.clock.now()) {
			t.Errorf("%s: %+v at %v", e.Kind, e.Request, e.Time)
		}
	}
	if got := joined(kinds); got != "loaded revoked finished too late" {
		t.Fatalf("told %q", got)
	}
	if e := told[0]; !e.Expires.Equal(w.clock.now().Add(30 * time.Minute)) {
		t.Errorf("loaded: expires %v", e.Expires)
	}
	if e := told[2]; e.Status != 204 || e.User != "root" {
		t.Errorf("finished: %+v", e)
	}

	told = nil
	alice.do(func(*core.Session) {})
	if e := told[0]; e.Kind != core.EventRejected || e.Claimed != id || !e.ID.IsZero() || e.Request.Number == 0 {
		t.Errorf("the revoked token: %+v", e)
	}
}

// TestRejectedSaysWhenItExpired: where the record is still there, as it always
// is in a cookie.
func TestRejectedSaysWhenItExpired(t *testing.T) {
	var out bytes.Buffer
	var rejected core.Event
	w := inCookies(t, func(c *core.Config) {
		log := core.SlogObserver(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		c.Observer = func(ctx context.Context, e core.Event) {
			log(ctx, e)
			if e.Kind == core.EventRejected {
				rejected = e
			}
		}
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	id, ends := c.id(), w.clock.now().Add(30*time.Minute)
	w.clock.advance(time.Hour)
	c.do(func(*core.Session) {})
	if rejected.Reason != core.ReasonExpired || rejected.Claimed != id || !rejected.Expires.Equal(ends) {
		t.Errorf("%+v, want %s expired at %v", rejected, id, ends)
	}
	if got := out.String(); !strings.Contains(got, `msg="session rejected" reason=expired claimed=`+id.String()) || !strings.Contains(got, "expired="+ends.Format("2006-01-02T15:04:05")) {
		t.Errorf("logged %s", got)
	}
}

// TestAbsentOverPlainHTTP: no cookie, and the likeliest reason for that.
func TestAbsentOverPlainHTTP(t *testing.T) {
	for _, c := range []struct {
		header, value string
		insecure      bool
		want          core.Reason
	}{
		{"", "", false, core.ReasonPlainHTTP},
		{"X-Forwarded-Proto", "https", false, core.ReasonNoCookie},
		{"Forwarded", "for=1.2.3.4;proto=https", false, core.ReasonNoCookie},
		{"Forwarded", "For=1.2.3.4;Proto=HTTPS", false, core.ReasonNoCookie},
		{"", "", true, core.ReasonNoCookie},
	} {
		w := server(t, func(config *core.Config) { config.InsecureAllowHTTP = c.insecure })
		x := pathExchange{newClient(t, w.m).exchange(), "/"}
		if c.header != "" {
			x.header = map[string]string{c.header: c.value}
		}
		if _, err := w.m.Load(x); err != nil {
			t.Fatal(err)
		}
		if e := w.events.all[0]; e.Kind != core.EventAbsent || e.Reason != c.want {
			t.Errorf("%+v: told %s, %s", c, e.Kind, e.Reason)
		}
	}
}

func TestLevelsOfEvents(t *testing.T) {
	for level, events := range map[slog.Level][]core.Event{
		slog.LevelError: {{Kind: core.EventTooLate}, {Kind: core.EventFailed}, {Kind: core.EventUnavailable}},
		slog.LevelWarn: {
			{Kind: core.EventDropped},
			{Kind: core.EventFlashDropped},
			{Kind: core.EventInsecure},
			{Kind: core.EventCookieClash},
			{Kind: core.EventDuplicates},
			{Kind: core.EventLargeCookie},
			{Kind: core.EventReplaced},
			{Kind: core.EventRejected, Reason: core.ReasonCorrupt},
			{Kind: core.EventRejected, Reason: core.ReasonNewer},
		},
		slog.LevelDebug: {{Kind: core.EventRejected, Reason: core.ReasonUnknown}, {Kind: core.EventSaved}, {Kind: core.EventLogout}, {Kind: core.EventAborted}},
	} {
		for _, e := range events {
			if got := e.Level(); got != level {
				t.Errorf("%s, %s: %v, want %v", e.Kind, e.Reason, got, level)
			}
		}
	}
}

// Failures are in the log, at their level, even by default; ordinary events are not.
func TestEventsInTheLog(t *testing.T) {
	var out bytes.Buffer
	was := slog.Default()
	defer slog.SetDefault(was)
	slog.SetDefault(slog.New(onlyFrom{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), slog.LevelWarn, t}))
	w, store := hookedServer(t, func(c *core.Config) { c.Observer = nil })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	if out.Len() != 0 {
		t.Errorf("logged %s", &out)
	}
	store.before = failing("save")
	r := c.begin()
	r.s.Set("k", "w")
	if err := r.end(200); !errors.Is(err, errStoreDown) {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "down") {
		t.Errorf("logged %q", got)
	}
	out.Reset()
	core.SlogObserver(slog.Default())(t.Context(), core.Event{Kind: core.EventSaved})
	core.SlogObserver(slog.Default())(t.Context(), core.Event{Kind: core.EventTooLate, Status: 204, Request: core.Request{Number: 7, Method: "PUT", Path: "/p"}})
	if got := out.String(); !strings.Contains(got, `msg="session too late" status=204 request=7 method=PUT path=/p`) {
		t.Errorf("logged %q", got)
	}
}

// onlyFrom is a handler that must not get records for which it is not enabled.
type onlyFrom struct {
	slog.Handler
	least slog.Level
	t     *testing.T
}

func (h onlyFrom) Enabled(_ context.Context, l slog.Level) bool { return l >= h.least }

func (h onlyFrom) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < h.least {
		h.t.Errorf("handled %v: %s", r.Level, r.Message)
	}
	return h.Handler.Handle(ctx, r)
}

func TestObserversAreAllTold(t *testing.T) {
	var first, second events
	w := server(t, func(c *core.Config) { c.Observer = core.Observers(first.observe, nil, second.observe) })
	newClient(t, w.m).do(func(s *core.Session) { s.Login("ann") })
	if first.count(core.EventLogin) != 1 || second.count(core.EventLogin) != 1 {
		t.Errorf("told %d and %d", first.count(core.EventLogin), second.count(core.EventLogin))
	}
}

func TestEventsSayHowLongAndHowMuch(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", strings.Repeat("v", 100)) })
		c.do(func(s *core.Session) { s.Login("ann") })
		c.do(func(s *core.Session) { s.Logout() })
		c.do(func(s *core.Session) { s.Login("ann") })
		var began []bool
		sized := 0
		for _, e := range w.events.all {
			switch e.Kind {
			case core.EventLogin:
				began = append(began, e.New)
				fallthrough
			case core.EventLoaded, core.EventCreated:
				if e.Took <= 0 || e.Took > time.Minute || e.Bytes <= 0 {
					t.Errorf("%s took %v, %d bytes", e.Kind, e.Took, e.Bytes)
				}
				if e.Bytes > 100 {
					sized++
				}
			case core.EventLogout:
				if e.Took <= 0 {
					t.Errorf("%s took %v", e.Kind, e.Took)
				}
			case core.EventAbsent, core.EventFinished:
				if e.Took != 0 {
					t.Errorf("%s took %v", e.Kind, e.Took)
				}
			}
		}
		if !slices.Equal(began, []bool{false, true}) || sized != 4 {
			t.Errorf("logins began sessions: %v; %d events of more than 100 bytes", began, sized)
		}
	})
}

// The default log says where a failure happened, though only failures are described.
func TestDefaultLogSaysWhere(t *testing.T) { // not parallel: it changes slog's default
	var out bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	w := server(t, func(c *core.Config) { c.Observer, c.MaxBytes = nil, 256 })
	c := newClient(t, w.m)
	asked := 0
	do := func(size int, late func(*core.Session)) {
		x := &askedExchange{exchange: c.exchange(), asked: &asked}
		s, err := w.m.Load(x)
		if err != nil {
			t.Fatal(err)
		}
		s.Set("k", strings.Repeat("v", size))
		_ = w.m.Commit(x, s, 200)
		late(s)
		w.m.Finish(s)
		c.take(x.exchange)
	}
	nothing := func(*core.Session) {}
	do(10, nothing)
	if asked != 0 || out.Len() != 0 {
		t.Errorf("without a failure: asked %d times where, logged %s", asked, out.String())
	}
	wants := func(what string) {
		t.Helper()
		if got := out.String(); !strings.Contains(got, what) || !strings.Contains(got, "method=GET path=/cart") || strings.Contains(got, "request=") {
			t.Errorf("logged %s", got)
		}
		out.Reset()
	}
	do(1000, nothing)
	wants("session failed")
	do(10, func(s *core.Session) { s.Renew() }) // found out when the handler has returned
	wants("session too late")
}

// askedExchange counts who asks for the path.
type askedExchange struct {
	*exchange
	asked *int
}

func (x *askedExchange) RequestPath() string {
	*x.asked++
	return "/cart"
}

// An event of a failure says whether the client was told: traces mark those requests.
func TestEventsSayWhetherTheClientGetsAnError(t *testing.T) {
	answered := func(w *world, kind core.EventKind, want ...bool) {
		t.Helper()
		var got []bool
		for _, e := range w.events.all {
			if e.Kind == kind {
				got = append(got, e.Answered)
			} else if e.Answered {
				t.Errorf("%s is answered", e.Kind)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: answered %v, want %v", kind, got, want)
		}
		w.events.all = nil
	}

	for _, serve := range []bool{false, true} {
		w, store := hookedServer(t, func(c *core.Config) { c.ServeWhenUnavailable = serve })
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		store.before = failing("load")
		_, _ = w.m.Load(c.exchange())
		answered(w, core.EventUnavailable, !serve)
	}

	w := server(t, func(c *core.Config) { c.MaxBytes = 256 })
	c := newClient(t, w.m)
	large := strings.Repeat("v", 1000)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	x := c.exchange()
	s, err := w.m.Load(x)
	if err != nil {
		t.Fatal(err)
	}
	s.Set("k", large)
	_ = s.Commit(t.Context()) // the handler is told, and may go on
	s.Set("k", large)
	_ = w.m.Commit(x, s, 200)
	w.m.Finish(s)
	answered(w, core.EventFailed, false, true)

	if s, err = w.m.Load(x); err != nil {
		t.Fatal(err)
	}
	_ = w.m.Commit(x, s, 200)
	s.Set("k", large)
	w.m.Finish(s) // after the page
	answered(w, core.EventFailed, false)

	if s, err = w.m.Load(x); err != nil {
		t.Fatal(err)
	}
	s.Set("k", large)
	_ = w.m.Commit(x, s, core.StatusHijacked)
	w.m.Finish(s)
	answered(w, core.EventFailed, false)
}
