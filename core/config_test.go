package core_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

func TestSEC43ImpossibleConfigurations(t *testing.T) {
	store := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = store.Close() })
	server := core.ServerSide(store)
	for what, c := range map[string]struct {
		backend core.Backend
		config  core.Config
		says    string
	}{
		"no backend":          {nil, core.Config{}, "memstore.New"},
		"no store":            {core.ServerSide(nil), core.Config{}, "memstore.New"},
		"no sealer":           {core.ClientSide(nil), core.Config{}, "sealed.Cookie(keys)"},
		"idle above absolute": {server, core.Config{IdleTimeout: 13 * time.Hour}, "longer than Lifetime"},
		"negative idle":       {server, core.Config{IdleTimeout: -2}, "NoTimeout"},
		"tiny idle":           {server, core.Config{IdleTimeout: 30}, "IdleTimeout"},
		"remembered":          {server, core.Config{Remembered: core.Timeouts{Idle: 31 * 24 * time.Hour}}, "Remembered"},
		"negative touch":      {server, core.Config{TouchAfter: -time.Minute}, "TouchAfter is -1m"},
		"touch after idle":    {server, core.Config{TouchAfter: 30 * time.Minute}, "TouchAfter is 30m"},
		"negative limit":      {server, core.Config{SessionLimit: -1}, "SessionLimit"},
		"limit without index": {core.ServerSide(struct{ core.Store }{store}), core.Config{SessionLimit: 1}, "count"},
		"policy":              {server, core.Config{LimitPolicy: 9}, "EndOldest"},
		"negative flashes":    {server, core.Config{MaxFlashes: -1}, "MaxFlashes"},
		"flashes":             {server, core.Config{MaxFlashes: 1001}, "MaxFlashes is 1001"},
		"flash lifetime":      {server, core.Config{FlashLifetime: -2}, "FlashLifetime is -2ns"},
		"bytes":               {server, core.Config{MaxBytes: 10}, "MaxBytes"},
		"load timeout":        {server, core.Config{LoadTimeout: -1}, "LoadTimeout and CommitTimeout"},
		"commit timeout":      {server, core.Config{CommitTimeout: -1}, "LoadTimeout and CommitTimeout"},
		"namespace":           {server, core.Config{Namespace: strings.Repeat("x", 65)}, "Namespace"},
		"cookie":              {server, core.Config{Cookie: core.Cookie{Name: "a b"}}, "Cookie.Name"},
	} {
		_, err := core.New(c.backend, c.config)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "core: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := core.New(core.ServerSide(struct{ core.Store }{store}), core.Config{SessionLimit: 1}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("limit without index: %v", err)
	}
	for what, c := range map[string]core.Config{
		"flashes for ever":        {FlashLifetime: core.NoTimeout},
		"idle for ever":           {IdleTimeout: core.NoTimeout, Lifetime: core.NoTimeout, TouchAfter: time.Hour},
		"idle below any lifetime": {IdleTimeout: 10000 * time.Hour, Lifetime: core.NoTimeout},
	} {
		if _, err := core.New(server, c); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestConfigFromEnv(t *testing.T) {
	for name, value := range map[string]string{
		"IDLE_TIMEOUT_IN_MINUTES": "0", "LIFETIME_IN_HOURS": "1.5", "NAMESPACE": "shop", "NOT_BEFORE": "2026-01-02T03:04:05Z",
		"COOKIE_NAME": "__Secure-s", "COOKIE_DOMAIN": "example.com", "COOKIE_PATH": "/app", "COOKIE_SAME_SITE": "Strict", "COOKIE_PARTITIONED": "true",
		"COOKIE_FORMER": "__Host-s, s; Domain=old.example; path = /a;Partitioned",
	} {
		t.Setenv("APP_"+name, value)
	}
	c, err := core.ConfigFromEnv("APP_")
	if err != nil {
		t.Fatal(err)
	}
	if c.IdleTimeout != core.NoTimeout || c.Lifetime != 90*time.Minute || c.Namespace != "shop" || c.NotBefore.Year() != 2026 {
		t.Errorf("%+v", c)
	}
	if want := (core.Cookie{Name: "__Secure-s", Domain: "example.com", Path: "/app", SameSite: core.SameSiteStrict, Partitioned: true, Former: []core.Cookie{
		{Name: "__Host-s"}, {Name: "s", Domain: "old.example", Path: "/a", Partitioned: true},
	}}); !reflect.DeepEqual(c.Cookie, want) {
		t.Errorf("%+v", c.Cookie)
	}
	if c, err := core.ConfigFromEnv("UNSET_"); err != nil || c.IdleTimeout != 0 {
		t.Errorf("unset: %+v, %v", c, err)
	}
	for name, value := range map[string]string{
		"IDLE_TIMEOUT_IN_MINUTES": "soon", "LIFETIME_IN_HOURS": "-1", "COOKIE_SAME_SITE": "loose",
		"COOKIE_PARTITIONED": "maybe", "NOT_BEFORE": "yesterday", "INSECURE_ALLOW_HTTP": "2", "DEVELOPMENT": "perhaps",
		"COOKIE_FORMER": "s; Max-Age=1",
	} {
		t.Setenv("BAD_"+name, value)
	}
	t.Setenv("BAD_COOKIE_NAME", "fine")
	c, err = core.ConfigFromEnv("BAD_")
	if err == nil {
		t.Fatal("bad values are accepted")
	}
	if c.Cookie.Name != "" {
		t.Errorf("what makes sense among bad values is returned: %+v", c.Cookie)
	}
	for _, name := range []string{"IDLE_TIMEOUT_IN_MINUTES", "LIFETIME_IN_HOURS", "COOKIE_SAME_SITE", "COOKIE_PARTITIONED", "NOT_BEFORE", "INSECURE_ALLOW_HTTP", "DEVELOPMENT"} {
		if !strings.Contains(err.Error(), "BAD_"+name) {
			t.Errorf("the error does not name BAD_%s: %v", name, err)
		}
	}
	for _, nan := range []string{"NaN", "Inf", "1e300", "-Inf", "1e-14"} { // the last would round to zero, the default
		t.Setenv("NAN_LIFETIME_IN_HOURS", nan)
		if _, err := core.ConfigFromEnv("NAN_"); err == nil {
			t.Errorf("%s hours were accepted", nan)
		}
	}
}

// Each variable sets its own field, in its own unit, and nothing else.
func TestSEC43ConfigFromEnvOneByOne(t *testing.T) {
	for i, test := range []struct {
		name, value string
		want        core.Config
	}{
		{"INSECURE_ALLOW_HTTP", "true", core.Config{InsecureAllowHTTP: true}},
		{"DEVELOPMENT", "1", core.Config{Development: true}},
		{"IDLE_TIMEOUT_IN_MINUTES", "1.5", core.Config{IdleTimeout: 90 * time.Second}},
		{"IDLE_TIMEOUT_IN_MINUTES", " 45 ", core.Config{IdleTimeout: 45 * time.Minute}},
		{"LIFETIME_IN_HOURS", "878400", core.Config{Lifetime: 878400 * time.Hour}}, // a century
		{"COOKIE_SAME_SITE", "LAX", core.Config{}},
		{"COOKIE_SAME_SITE", "none", core.Config{Cookie: core.Cookie{SameSite: core.SameSiteNone}}},
		{"COOKIE_SAME_SITE", "strict", core.Config{Cookie: core.Cookie{SameSite: core.SameSiteStrict}}},
		{"INSECURE_ALLOW_HTTP", "false", core.Config{}},
	} {
		prefix := fmt.Sprintf("ONE%d_", i)
		t.Setenv(prefix+test.name, test.value)
		got, err := core.ConfigFromEnv(prefix)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s=%q: %+v, %v", test.name, test.value, got, err)
		}
	}
	t.Setenv("LONG_IDLE_TIMEOUT_IN_MINUTES", "1000000")
	t.Setenv("LONG_LIFETIME_IN_HOURS", "0")
	if c, err := core.ConfigFromEnv("LONG_"); err != nil || c.IdleTimeout != 1000000*time.Minute {
		t.Errorf("two years idle: %v, %v", c.IdleTimeout, err)
	}
	t.Setenv("ODDS_LIFETIME_IN_HOURS", "0.25")
	if _, err := core.ConfigFromEnv("ODDS_"); err == nil || !strings.Contains(err.Error(), "ODDS_") || !strings.Contains(err.Error(), "longer than Lifetime") {
		t.Errorf("a lifetime below the idle timeout: %v", err)
	}
}

// timed notes how long a networked store is given.
type timed struct {
	core.Store
	load, save time.Duration
}

func (s *timed) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	end, _ := ctx.Deadline()
	s.load = time.Until(end)
	return s.Store.Load(ctx, id)
}

func (s *timed) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	end, _ := ctx.Deadline()
	s.save = time.Until(end)
	return s.Store.Save(ctx, id, e, base)
}

func TestC5TimeoutsByDefault(t *testing.T) {
	w := server(t)
	store := &timed{Store: w.store}
	w.m = w.manager(core.ServerSide(store), func(c *core.Config) { c.LoadTimeout, c.CommitTimeout = 0, 0 })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	c.get("k")
	if store.load <= 0 || store.load > 500*time.Millisecond || store.save <= 500*time.Millisecond || store.save > 2*time.Second {
		t.Errorf("C5: %v to load, %v to save", store.load, store.save)
	}
}

func TestT2TouchAfter(t *testing.T) {
	for _, test := range []struct {
		config  core.Config
		waits   time.Duration
		touched int
	}{
		{core.Config{}, 3*time.Minute - time.Second, 0},
		{core.Config{}, 3*time.Minute + time.Second, 1}, // a tenth of 30 minutes
		{core.Config{TouchAfter: 10 * time.Minute}, 9 * time.Minute, 0},
		{core.Config{TouchAfter: 10 * time.Minute}, 11 * time.Minute, 1},
		{core.Config{TouchAfter: time.Second}, 2 * time.Second, 1},
	} {
		w := server(t, func(c *core.Config) { c.TouchAfter = test.config.TouchAfter })
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		w.clock.advance(test.waits)
		c.get("k")
		if n := w.events.count(core.EventTouched); n != test.touched {
			t.Errorf("T2: TouchAfter %v: %d touches after %v", test.config.TouchAfter, n, test.waits)
		}
	}
	// Lists show when a remembered session was last used, to within an hour.
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
	w.clock.advance(61 * time.Minute)
	c.get("k")
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 1 || !infos[0].LastSeen.Equal(w.clock.now()) {
		t.Errorf("T2: a remembered session used now, an hour after the last time, is listed as %+v, %v", infos, err)
	}
	// A session's own, shorter idle timeout has a tenth of its own.
	w = server(t, func(c *core.Config) { c.TouchAfter = 10 * time.Minute })
	c = newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v"); s.SetTimeouts(5*time.Minute, 0) })
	for range 3 {
		w.clock.advance(3 * time.Minute)
		if c.get("k") != "v" {
			t.Fatal("T2: ended although it was used")
		}
	}
}
