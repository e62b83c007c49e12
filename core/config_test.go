package core_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

func TestSEC43ImpossibleConfigurations(t *testing.T) {
	store := memstore.New()
	t.Cleanup(func() { _ = store.Close() })
	server := core.ServerSide(store)
	for what, c := range map[string]struct {
		backend core.Backend
		config  core.Config
		says    string
	}{
		"no backend":          {nil, core.Config{}, "memstore.New"},
		"no store":            {core.ServerSide(nil), core.Config{}, "memstore.New"},
		"no sealer":           {core.ClientSide(nil), core.Config{}, "NewCookieSealer"},
		"no keys":             {core.ClientSide(core.NewCookieSealer(nil)), core.Config{}, "key"},
		"idle above absolute": {server, core.Config{IdleTimeout: 13 * time.Hour}, "longer than Lifetime"},
		"negative idle":       {server, core.Config{IdleTimeout: -2}, "NoTimeout"},
		"tiny idle":           {server, core.Config{IdleTimeout: 30}, "IdleTimeout"},
		"remembered":          {server, core.Config{Remembered: core.Timeouts{Idle: 31 * 24 * time.Hour}}, "Remembered"},
		"touch after idle":    {server, core.Config{TouchAfter: time.Hour}, "TouchAfter"},
		"negative limit":      {server, core.Config{SessionLimit: -1}, "SessionLimit"},
		"limit without index": {core.ServerSide(struct{ core.Store }{store}), core.Config{SessionLimit: 1}, "count"},
		"policy":              {server, core.Config{LimitPolicy: 9}, "EndOldest"},
		"flashes":             {server, core.Config{MaxFlashes: -1}, "MaxFlashes"},
		"flash lifetime":      {server, core.Config{FlashLifetime: -5}, "FlashLifetime"},
		"bytes":               {server, core.Config{MaxBytes: 10}, "MaxBytes"},
		"load timeout":        {server, core.Config{LoadTimeout: -1}, "LoadTimeout"},
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
}

func TestConfigFromEnv(t *testing.T) {
	key := core.GenerateKey()
	for name, value := range map[string]string{
		"IDLE_TIMEOUT_IN_MINUTES": "0", "LIFETIME_IN_HOURS": "1.5", "KEYS": key, "NAMESPACE": "shop", "NOT_BEFORE": "2026-01-02T03:04:05Z",
		"COOKIE_NAME": "__Secure-s", "COOKIE_DOMAIN": "example.com", "COOKIE_PATH": "/app", "COOKIE_SAME_SITE": "Strict", "COOKIE_PARTITIONED": "true",
	} {
		t.Setenv("APP_"+name, value)
	}
	c, keys, err := core.ConfigFromEnv("APP_")
	if err != nil {
		t.Fatal(err)
	}
	if c.IdleTimeout != core.NoTimeout || c.Lifetime != 90*time.Minute || keys.Len() != 1 || c.Namespace != "shop" || c.NotBefore.Year() != 2026 {
		t.Errorf("%+v", c)
	}
	if c.Cookie != (core.Cookie{Name: "__Secure-s", Domain: "example.com", Path: "/app", SameSite: core.SameSiteStrict, Partitioned: true}) {
		t.Errorf("%+v", c.Cookie)
	}
	if c, keys, err := core.ConfigFromEnv("UNSET_"); err != nil || keys != nil || c.IdleTimeout != 0 {
		t.Errorf("unset: %+v, %v", c, err)
	}
	for name, value := range map[string]string{
		"IDLE_TIMEOUT_IN_MINUTES": "soon", "LIFETIME_IN_HOURS": "-1", "KEYS": key + "," + key, "COOKIE_SAME_SITE": "loose",
		"COOKIE_PARTITIONED": "maybe", "NOT_BEFORE": "yesterday", "INSECURE_ALLOW_HTTP": "2", "DEVELOPMENT": "perhaps",
	} {
		t.Setenv("BAD_"+name, value)
	}
	_, _, err = core.ConfigFromEnv("BAD_")
	if err == nil || strings.Contains(err.Error(), key) {
		t.Fatalf("bad values: %v", err)
	}
	for _, name := range []string{"IDLE_TIMEOUT_IN_MINUTES", "LIFETIME_IN_HOURS", "KEYS", "COOKIE_SAME_SITE", "COOKIE_PARTITIONED", "NOT_BEFORE", "INSECURE_ALLOW_HTTP", "DEVELOPMENT"} {
		if !strings.Contains(err.Error(), "BAD_"+name) {
			t.Errorf("the error does not name BAD_%s: %v", name, err)
		}
	}
	for _, nan := range []string{"NaN", "Inf", "1e300", "-Inf", "1e-14"} { // the last would round to zero, the default
		t.Setenv("NAN_LIFETIME_IN_HOURS", nan)
		if _, _, err := core.ConfigFromEnv("NAN_"); err == nil {
			t.Errorf("%s hours were accepted", nan)
		}
	}
}
