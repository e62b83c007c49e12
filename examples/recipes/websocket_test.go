package recipes

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// sockets are the frameworks with each library that they can use. Fiber has
// its own.
func sockets(ctx context.Context) []framework {
	with := func(library string, socket func(*core.Manager) http.HandlerFunc) []framework {
		all := frameworks(
			func(m *core.Manager) http.Handler { return socketNetHTTP(m, socket(m)) },
			func(m *core.Manager) *echo.Echo { return socketEcho(m, socket(m)) },
			func(m *core.Manager) *gin.Engine { return socketGin(m, socket(m)) },
			func(m *core.Manager) *fiber.App { return socketFiber(ctx, m) },
		)
		for i := range all {
			all[i].name += "/" + library
		}
		return all
	}
	all := append(with("coder", socketCoder)[:3], with("gorilla", socketGorilla)[:3]...)
	return append(all, with("fasthttp", socketCoder)[3])
}

// dial opens a socket with the browser's cookies.
func (b *browser) dial(origin string) (*coder.Conn, *http.Response, error) {
	return coder.Dial(b.Context(), strings.Replace(b.base, "https", "wss", 1)+"/ws", &coder.DialOptions{
		HTTPClient: &b.Client, HTTPHeader: http.Header{"Origin": {origin}},
	})
}

// hears sends text and fails the test unless the answer is want.
func (b *browser) hears(conn *coder.Conn, text, want string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	if err := conn.Write(ctx, coder.MessageText, []byte(text)); err != nil {
		b.Fatal(err)
	}
	_, got, err := conn.Read(ctx)
	if err != nil || !strings.HasPrefix(string(got), want) {
		b.Fatalf("the answer to %q is %q, want %q: %v", text, got, want, err)
	}
}

// startSocket serves application i of sockets over TLS.
func startSocket(t *testing.T, i int) (sessions *sessiontest.Sessions, base string) {
	t.Helper()
	sessions = sessiontest.New(t)
	l := listen(t)
	base = "https://" + l.Addr().String()
	start(t, sockets(t.Context())[i].app(sessions.Manager), overTLS(l))
	return sessions, base
}

func TestWebSocket(t *testing.T) {
	for i, f := range sockets(t.Context()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions, base := startSocket(t, i)

			ann := sessions.Login("ann", sessiontest.With(nick, "Ann"))
			b := newBrowser(t, base, ann.Jar())
			id := ann.Session().ID()
			conn, _, err := b.dial(base)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow() //nolint:errcheck // it may be closed
			b.hears(conn, "Hello.", "Ann: Hello.")
			b.hears(conn, "/nick Annie", "Annie: ")
			sessiontest.Want(ann, nick, "Annie")

			// A change from elsewhere is seen by the loop.
			err = sessions.Manager.Update(t.Context(), id, func(s *core.Session) error { nick.Set(s, "A."); return nil })
			if err != nil {
				t.Fatal(err)
			}
			b.hears(conn, "Hello.", "A.: Hello.")

			if err := sessions.Manager.Revoke(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, _, err = conn.Read(ctx)
			var closed coder.CloseError
			if !errors.As(err, &closed) || closed.Code != coder.StatusPolicyViolation || closed.Reason != "the session has ended" {
				t.Errorf("after the revocation: %v", err)
			}
		})
	}
}

// TestWebSocketNewSession shows that a visitor's new session gets its cookie
// with the 101, and that the socket uses that session.
func TestWebSocketNewSession(t *testing.T) {
	for i, f := range sockets(t.Context()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions, base := startSocket(t, i)
			guest := sessions.Visitor()
			b := newBrowser(t, base, guest.Jar())
			conn, res, err := b.dial(base)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow() //nolint:errcheck // it may be closed
			if got := res.Header.Values("Set-Cookie"); len(got) != 1 || !strings.HasPrefix(got[0], "__Host-session=") {
				t.Fatalf("the 101 sets the cookies %q", got)
			}
			b.hears(conn, "Hello.", "guest-")
			b.hears(conn, "/nick Bob", "Bob: ")
			sessiontest.Want(guest, nick, "Bob")
		})
	}
}

// TestWebSocketOrigin shows that another site's page cannot open a socket with
// its visitor's cookies.
func TestWebSocketOrigin(t *testing.T) {
	for i, f := range sockets(t.Context()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			sessions, base := startSocket(t, i)
			b := newBrowser(t, base, sessions.Login("ann").Jar())
			for _, origin := range []string{"https://evil.example", base + ".evil.example", "null"} {
				conn, res, err := b.dial(origin)
				if err == nil {
					_ = conn.CloseNow()
					t.Errorf("a page of %s opens a socket", origin)
				} else if res == nil || res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusUpgradeRequired {
					t.Errorf("a page of %s gets %v", origin, err)
				}
			}
		})
	}
}
