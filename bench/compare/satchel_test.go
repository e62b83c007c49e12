package compare

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/fiberv3adapter"
)

const (
	serveAnyway = "Config.ServeWhenUnavailable"
	skipPlain   = "the middleware's Skip for that page"
	maxBytes    = "Config.MaxBytes"
)

var satchelOptions = []option{
	{serveAnyway, []string{"outage-plain"}},
	{skipPlain, []string{"outage-plain", "untouched"}},
	{maxBytes, []string{"large"}},
}

func satchelRedis() library {
	return library{name: "Satchel", backend: "Redis", framework: "net/http", source: "satchel_test.go", options: satchelOptions, start: startSatchel(redisBackend)}
}

func satchelCookie() library {
	return library{name: "Satchel", backend: "cookie", framework: "net/http", source: "satchel_test.go", start: startSatchel(cookieBackend)}
}

func satchelFiber() library {
	return library{name: "Satchel", backend: "Redis", framework: "Fiber v3", source: "satchel_test.go", options: satchelOptions, start: startSatchelFiber}
}

func redisBackend(e environment) (core.Backend, func(), error) {
	client, err := goredisstore.NewClient(fmt.Sprintf("redis://%s/%d", e.redis, e.db))
	if err != nil {
		return nil, nil, err
	}
	return core.ServerSide(goredisstore.New(client, goredisstore.Config{})), closer(client), nil
}

func closer(client redis.UniversalClient) func() { return func() { _ = client.Close() } }

func cookieBackend(e environment) (core.Backend, func(), error) {
	var list []string
	for _, key := range e.keys {
		list = append(list, base64.StdEncoding.EncodeToString([]byte(key)))
	}
	keys, err := sealed.ParseKeyring(strings.Join(list, ","))
	if err != nil {
		return nil, nil, err
	}
	return core.ClientSide(sealed.Cookie(keys)), func() {}, nil
}

// satchel returns an application with a Manager, which reports through its Observer.
func satchel(e environment, backend core.Backend) (*app, *core.Manager, error) {
	if e.max > 0 && e.idle == 0 {
		e.idle = e.max // it may not be longer than the lifetime
	}
	config := core.Config{
		IdleTimeout: e.idle, Lifetime: e.max,
		ServeWhenUnavailable: e.option == serveAnyway,
		Observer: func(_ context.Context, event core.Event) {
			if event.Level() >= slog.LevelWarn {
				e.report()
			}
		},
	}
	if e.option == maxBytes {
		config.MaxBytes = 1 << 20
	}
	m, err := core.New(backend, config)
	if err != nil {
		return nil, nil, err
	}
	return &app{
		env: e,
		endID: func(ctx context.Context, id string) error {
			parsed, err := core.ParseID(id)
			if err != nil {
				return err
			}
			return unsupported(m.Revoke(ctx, parsed))
		},
		endUser: func(ctx context.Context, user string) error {
			_, err := m.RevokeUser(ctx, user)
			return unsupported(err)
		},
		endAll: func(ctx context.Context) error { return unsupported(m.RevokeAll(ctx)) },
		count: func(ctx context.Context, user string) (int, error) {
			list, err := m.List(ctx, user)
			return len(list), unsupported(err)
		},
	}, m, nil
}

// unsupported turns the error of what a backend cannot do into a reason.
func unsupported(err error) error {
	if errors.Is(err, core.ErrUnsupported) {
		return none("the server keeps nothing to look for")
	}
	return err
}

func startSatchel(backendOf func(environment) (core.Backend, func(), error)) func(environment) (*app, error) {
	return func(e environment) (*app, error) {
		backend, done, err := backendOf(e)
		if err != nil {
			return nil, err
		}
		a, m, err := satchel(e, backend)
		if err != nil {
			return nil, err
		}
		a.close = done
		skip := httpadapter.Skip(func(r *http.Request) bool { return e.option == skipPlain && r.URL.Path == "/plain" })
		return a.on(httpadapter.Middleware(m, skip)(a.mux(func(_ http.ResponseWriter, r *http.Request) (session, error) {
			return satchelSession{s: httpadapter.Session(r)}, nil
		}))), nil
	}
}

func startSatchelFiber(e environment) (*app, error) {
	backend, done, err := redisBackend(e)
	if err != nil {
		return nil, err
	}
	a, m, err := satchel(e, backend)
	if err != nil {
		return nil, err
	}
	server := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	skip := fiberv3adapter.Skip(func(c fiber.Ctx) bool { return e.option == skipPlain && c.Path() == "/plain" })
	server.Use(recover.New(), fiberv3adapter.Middleware(m, skip))
	a.serve = listenFiber3(server)
	a.close = func() { _ = server.ShutdownWithTimeout(5 * time.Second); done() }
	for _, r := range routes {
		server.All(r.path, func(c fiber.Ctx) error {
			return a.answer(r, fiber3Request{c}, func() (session, error) {
				return satchelFiberSession{satchelSession{fiberv3adapter.Session(c)}, m}, nil
			})
		})
	}
	return a, nil
}

func listenFiber3(server *fiber.App) func(net.Listener) error {
	return func(l net.Listener) error {
		return server.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
	}
}

var (
	number  = core.NewKey[int]("n")
	pointIn = core.NewKey[point]("point")
	shapeIn = core.NewKey[shape]("shape")
)

// satchelSession has no save: the middleware commits.
type satchelSession struct{ s *core.Session }

func (s satchelSession) save() error             { return nil }
func (s satchelSession) get(key string) string   { v, _ := core.Get[string](s.s, key); return v }
func (s satchelSession) set(key, value string)   { s.s.Set(key, value) }
func (s satchelSession) count() int              { n, _ := number.Get(s.s); return n }
func (s satchelSession) add()                    { number.Update(s.s, func(n int) int { return n + 1 }) }
func (s satchelSession) point() (point, bool)    { return pointIn.Get(s.s) }
func (s satchelSession) setPoint(p point)        { pointIn.Set(s.s, p) }
func (s satchelSession) shape() shape            { v, _ := shapeIn.Get(s.s); return v }
func (s satchelSession) setShape(v shape)        { shapeIn.Set(s.s, v) }
func (s satchelSession) flash(text string) error { s.s.Flash("info", text); return nil }
func (s satchelSession) login(user string) error { s.s.Login(user); return nil }
func (s satchelSession) logout() error           { s.s.Logout(); return nil }
func (s satchelSession) user() string            { return s.s.UserID() }
func (s satchelSession) id() string              { return s.s.ID().String() }

func (s satchelSession) flashes() (list []string, err error) {
	for _, f := range s.s.Flashes() {
		list = append(list, f.Text)
	}
	return list, nil
}

// satchelFiberSession is changed by its ID once the handler has returned.
type satchelFiberSession struct {
	satchelSession
	m *core.Manager
}

func (s satchelFiberSession) late() session { return &satchelLate{name: s.s.ID(), m: s.m} }

type satchelLate struct {
	session
	name core.ID
	m    *core.Manager
	do   []func(*core.Session)
}

func (l *satchelLate) set(key, value string) {
	l.do = append(l.do, func(s *core.Session) { s.Set(key, value) })
}

func (l *satchelLate) save() error {
	return l.m.Update(context.Background(), l.name, func(s *core.Session) error {
		for _, f := range l.do {
			f(s)
		}
		return nil
	})
}
