package recipes

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	coder "github.com/coder/websocket"
	fast "github.com/fasthttp/websocket"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	gorilla "github.com/gorilla/websocket"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echov5adapter"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:shared

var nick = core.NewKey[string]("nick")

// enter prepares the session for a socket: it is stored, has an ID and is watched.
func enter(ctx context.Context, sessions *core.Manager, s *core.Session) (id core.ID, done <-chan struct{}, err error) {
	if _, ok := nick.Get(s); !ok {
		nick.Set(s, "guest-"+rand.Text()[:6])
	}
	if err = s.Commit(ctx); err != nil {
		return id, nil, err
	}
	done, err = sessions.Done(ctx, s.ID())
	return s.ID(), done, err
}

// say answers a message with the session as it is now.
func say(ctx context.Context, sessions *core.Manager, id core.ID, text string) (answer string, err error) {
	err = sessions.Update(ctx, id, func(s *core.Session) error {
		if name, ok := strings.CutPrefix(text, "/nick "); ok {
			nick.Set(s, name)
		}
		name, _ := nick.Get(s)
		answer = name + ": " + text
		return nil
	})
	return answer, err
}

//recipe:end

//recipe:coder
func socketCoder(sessions *core.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		id, done, err := enter(ctx, sessions, httpadapter.Session(r))
		if err != nil {
			httpadapter.WriteErrorResponse(w, err)
			return
		}
		conn, err := coder.Accept(w, r, nil) // refuses other origins; OriginPatterns allows some
		if err != nil {
			return // it has already answered
		}
		defer conn.CloseNow() //nolint:errcheck // for returns; otherwise it is closed already
		go func() {
			<-done
			if ctx.Err() == nil { // not because the loop ended
				_ = conn.Close(coder.StatusPolicyViolation, "the session has ended")
			}
		}()
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				return
			}
			answer, err := say(ctx, sessions, id, string(text))
			if err != nil || conn.Write(ctx, coder.MessageText, []byte(answer)) != nil {
				return
			}
		}
	}
}

//recipe:end

func socketGorilla(sessions *core.Manager) http.HandlerFunc {
	var upgrader gorilla.Upgrader // refuses other origins; a CheckOrigin of your own must do that itself
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		id, done, err := enter(ctx, sessions, httpadapter.Session(r))
		if err != nil {
			httpadapter.WriteErrorResponse(w, err)
			return
		}
		//recipe:gorilla
		// Upgrade writes the 101 itself: without this header, a new session's cookie is lost.
		conn, err := upgrader.Upgrade(w, r, http.Header{"Set-Cookie": sessions.WriteCookie(httpadapter.Session(r))})
		if err != nil {
			return // it has already answered
		}
		go func() {
			<-done // the session or the loop has ended
			text := gorilla.FormatCloseMessage(gorilla.ClosePolicyViolation, "the session has ended")
			_ = conn.WriteControl(gorilla.CloseMessage, text, time.Now().Add(time.Second))
			_ = conn.Close() // ends ReadMessage
		}()
		//recipe:end
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			answer, err := say(ctx, sessions, id, string(text))
			if err != nil || conn.WriteMessage(gorilla.TextMessage, []byte(answer)) != nil {
				return
			}
		}
	}
}

//recipe:fiber
func socketFiber(server context.Context, sessions *core.Manager) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(sessions))
	var upgrader fast.FastHTTPUpgrader // refuses other origins; a CheckOrigin of your own must do that itself
	app.Get("/ws", func(c fiber.Ctx) error {
		ctx, cancel := context.WithCancel(server) // the request's is over when the loop begins
		id, done, err := enter(ctx, sessions, fiberv3adapter.Session(c))
		if err != nil {
			cancel()
			return c.SendStatus(core.ErrorResponseFor(err).Status)
		}
		err = upgrader.Upgrade(c.RequestCtx(), func(conn *fast.Conn) { // use neither c nor the session in here
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				<-done // the session or the loop has ended
				text := fast.FormatCloseMessage(fast.ClosePolicyViolation, "the session has ended")
				_ = conn.WriteControl(fast.CloseMessage, text, time.Now().Add(time.Second))
				_ = conn.Close() // ends ReadMessage
			}()
			defer func() { cancel(); <-closed }() // afterwards conn is reused for others
			for {
				_, text, err := conn.ReadMessage()
				if err != nil {
					return
				}
				answer, err := say(ctx, sessions, id, string(text))
				if err != nil || conn.WriteMessage(fast.TextMessage, []byte(answer)) != nil {
					return
				}
			}
		})
		if err != nil {
			cancel() // Upgrade has already answered
		}
		return nil
	})
	return app
}

//recipe:end

func socketNetHTTP(sessions *core.Manager, socket http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", socket)
	return httpadapter.Middleware(sessions)(mux)
}

func socketEcho(sessions *core.Manager, socket http.HandlerFunc) *echo.Echo {
	e := echo.New()
	e.Use(echov5adapter.Middleware(sessions))
	e.GET("/ws", echo.WrapHandler(socket)) // httpadapter.Session finds the session of echov5adapter
	return e
}

func socketGin(sessions *core.Manager, socket http.HandlerFunc) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.GET("/ws", gin.WrapF(socket)) // httpadapter.Session finds the session of ginadapter
	return r
}
