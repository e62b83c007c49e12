package examples_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// copyTo gives another browser the cookies of v.
func (v *visitor) copyTo(other *visitor, at fleet) {
	v.Helper()
	u, err := url.Parse(at[0])
	if err != nil {
		v.Fatal(err)
	}
	other.client.Jar.SetCookies(u, v.client.Jar.Cookies(u))
}

// TestI1MigratingPlantedCookies plants a cookie that was made before its victim logged in. The move
// to a store must not make more of it than it was.
func TestI1MigratingPlantedCookies(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	inGorillaCookie := func(*testing.T) core.Backend {
		return gorillastore.Cookie(sessions.NewCookieStore(key("hash"), key("block")), gorillastore.CookieConfig{})
	}
	inSealedRedis := func(t *testing.T) core.Backend {
		t.Helper()
		keys, err := sealed.ParseKeyring(sealed.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		return core.ServerSide(sealed.Store(goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)}), keys))
	}
	redisOf := func(t *testing.T) core.Backend { t.Helper(); return inRedis(t, client) }
	for name, pair := range map[string][2]func(*testing.T) core.Backend{
		"cookie to redis":           {inCookie, redisOf},
		"cookie to memory":          {inCookie, inMemory},
		"cookie to encrypted redis": {inCookie, inSealedRedis},
		"gorilla's cookie to redis": {inGorillaCookie, redisOf},
	} {
		for _, first := range []string{"victim", "thief"} {
			t.Run(name+", "+first+" first", func(t *testing.T) {
				d := migration{from: pair[0](t), to: pair[1](t)}.deploy(t)
				victim, thief := newVisitor(t, "ann"), newVisitor(t, "")
				victim.ask(d.before, http.MethodPost, "/mark", "m", "cart")
				victim.copyTo(thief, d.before)
				victim.ask(d.before, http.MethodPost, "/login", "user", "ann")
				thief.ask(d.before, http.MethodPost, "/mark", "m", "kept") // so that it is the younger one
				steal := func() {
					t.Helper()
					if a := thief.ask(d.during, http.MethodPost, "/mark", "m", "evil"); a.User != "" {
						t.Errorf("the planted cookie is %q", a.User)
					}
				}
				if first == "thief" {
					steal()
				}
				for _, wait := range []time.Duration{0, time.Second, 6 * time.Minute, 6 * time.Minute} {
					if a := victim.ask(d.during, http.MethodGet, "/look", "marks", "cart,evil"); a.User != "ann" || len(a.Missing) != 1 {
						t.Errorf("the victim is %q, and misses %q", a.User, a.Missing)
					}
					steal()
					d.clock.Add(int64(wait))
				}
			})
		}
	}
}
