package compare

import (
	"context"
	"net/http"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
)

const hashToken = "HashTokenInStore"

// scsRedis is alexedwards/scs with its goredisstore.
func scsRedis() library {
	return library{
		name: "alexedwards/scs", backend: "Redis", framework: "net/http", source: "scs_test.go",
		modules: []string{"github.com/alexedwards/scs/v2", "github.com/alexedwards/scs/goredisstore"},
		options: []option{{safeCookies, []string{"flags"}}, {hashToken, []string{"hijack"}}},
		start:   startSCS,
	}
}

func startSCS(e environment) (*app, error) {
	client := redis.NewClient(&redis.Options{Addr: e.redis, DB: e.db})
	m := scs.New()
	m.Store = goredisstore.New(client)
	m.IdleTimeout = e.idle
	if e.max > 0 {
		m.Lifetime = e.max
	}
	m.HashTokenInStore = e.option == hashToken
	m.Cookie.Secure = e.option == safeCookies
	a := &app{env: e, close: func() { _ = client.Close() }}
	each := func(ctx context.Context, user string, f func(context.Context) error) error {
		return m.Iterate(ctx, func(ctx context.Context) error {
			if user == "" || m.GetString(ctx, "user") == user {
				return f(ctx)
			}
			return nil
		})
	}
	a.endUser = func(ctx context.Context, user string) error { return each(ctx, user, m.Destroy) }
	a.endAll = func(ctx context.Context) error { return each(ctx, "", m.Destroy) }
	a.endID = func(ctx context.Context, id string) error {
		return each(ctx, "", func(ctx context.Context) error {
			if m.Token(ctx) == id {
				return m.Destroy(ctx)
			}
			return nil
		})
	}
	a.count = func(ctx context.Context, user string) (n int, err error) {
		err = each(ctx, user, func(context.Context) error { n++; return nil })
		return n, err
	}
	return a.on(m.LoadAndSave(a.mux(func(_ http.ResponseWriter, r *http.Request) (session, error) {
		ctx := r.Context()
		return scsSession{bag{
			func(key string) any { return m.Get(ctx, key) },
			func(key string, v any) { m.Put(ctx, key, v) },
		}, m, ctx}, nil
	}))), nil
}

type scsSession struct {
	bag
	m   *scs.SessionManager
	ctx context.Context
}

func (s scsSession) save() error             { return nil }
func (s scsSession) flash(text string) error { s.m.Put(s.ctx, "flash", text); return nil }
func (s scsSession) logout() error           { return s.m.Destroy(s.ctx) }
func (s scsSession) id() string              { return s.m.Token(s.ctx) }

func (s scsSession) flashes() ([]string, error) {
	if text := s.m.PopString(s.ctx, "flash"); text != "" {
		return []string{text}, nil
	}
	return nil, nil
}

func (s scsSession) login(user string) error {
	if err := s.m.RenewToken(s.ctx); err != nil {
		return err
	}
	s.set("user", user)
	return nil
}
