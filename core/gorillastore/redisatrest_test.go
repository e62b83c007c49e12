package gorillastore_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestSEC7SEC13RedisAtRest looks at what Redis keeps of sessions without any
// timeout: each key has a time to live, and none is a token.
func TestSEC7SEC13RedisAtRest(t *testing.T) {
	server, prefix := redistest.Shared(t), redistest.UniquePrefix(t)
	client := redisClient(t, server.Addr())
	backend := core.ServerSide(gorillastore.RedisStore(client, goredisstore.Config{Prefix: prefix}))
	m, err := core.New(backend, core.Config{Lifetime: core.NoTimeout, IdleTimeout: core.NoTimeout})
	if err != nil {
		t.Fatal(err)
	}
	cookie := ""
	for i, handle := range []func(*core.Session){
		func(s *core.Session) { s.Set("k", "v") },
		func(s *core.Session) { s.Login("ann") },
		func(s *core.Session) { s.SetTimeouts(time.Minute, time.Hour) },
		func(s *core.Session) { s.Renew() },
		func(s *core.Session) { s.Login("bob"); s.Remember(true) },
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			handle(httpadapter.Session(r))
		})).ServeHTTP(w, r)
		if line := w.Header().Get("Set-Cookie"); line != "" {
			cookie, _, _ = strings.Cut(line, ";")
		}
		_, token, _ := strings.Cut(cookie, "=")
		keys, known := server.Strings("KEYS", prefix+"*"), false
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || w.Code != http.StatusOK || len(keys) == 0 || len(raw) != 48 {
			t.Fatalf("step %d: status %d, %d keys, token of %d bytes (%v)", i, w.Code, len(keys), len(raw), err)
		}
		for _, key := range keys {
			if left, ok := server.MustDo("PTTL", key).(int64); !ok || left <= 0 {
				t.Errorf("SEC13: step %d: PTTL of %s is %v", i, key, left)
			}
			content := key + server.Content(key)
			known = known || strings.Contains(content, string(raw[:2]))
			for _, part := range []string{token[22:43], token[43:], string(raw[16:32]), string(raw[32:])} {
				if strings.Contains(content, part) {
					t.Errorf("SEC7: step %d: %s holds the token", i, key)
				}
			}
		}
		if !known {
			t.Errorf("step %d: not even the public ID was found: this shows nothing", i)
		}
	}
}
