package recipes

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	contrib "github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	gorilla "github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/fiberadapter"
	"github.com/satchel-go/satchel/ginadapter"
)

//recipe:shared

var nick = core.NewKey[string]("nick")

// enter makes the session ready for a socket: afterwards it is stored, it has an
// ID, and if it is new, its cookie is in the response's header.
func enter(ctx context.Context, s *core.Session) (core.ID, error) {
	if _, ok := nick.Get(s); !ok {
		nick.Set(s, "guest-"+rand.Text()[:6])
	}
	err := s.Commit(ctx)
	return s.ID(), err
}

// say answers a message, with the session as it is now. What the request
// had in hand is as old as the connection.
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
		id, err := enter(ctx, httpadapter.Session(r))
		if err != nil {
			httpadapter.WriteRefusal(w, err)
			return
		}
		done, err := sessions.Done(ctx, id)
		if err != nil {
			httpadapter.WriteRefusal(w, err)
			return
		}
		conn, err := coder.Accept(w, r, nil) // refuses other origins; OriginPatterns allows some
		if err != nil {
			return // it has answered
		}
		defer conn.CloseNow() //nolint:errcheck // for returns; else it is closed already
		go func() {
			<-done
			if ctx.Err() == nil { // not because the loop has ended
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

//recipe:gorilla
func socketGorilla(sessions *core.Manager) http.HandlerFunc {
	var upgrader gorilla.Upgrader // with a CheckOrigin of your own, check: by default it refuses other origins
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		id, err := enter(ctx, httpadapter.Session(r))
		if err != nil {
			httpadapter.WriteRefusal(w, err)
			return
		}
		done, err := sessions.Done(ctx, id)
		if err != nil {
			httpadapter.WriteRefusal(w, err)
			return
		}
		// It writes the 101 by itself: without this, a new session's cookie is lost.
		conn, err := upgrader.Upgrade(w, r, http.Header{"Set-Cookie": w.Header()["Set-Cookie"]})
		if err != nil {
			return // it has answered
		}
		go func() {
			<-done // the session has ended, or the loop
			text := gorilla.FormatCloseMessage(gorilla.ClosePolicyViolation, "the session has ended")
			_ = conn.WriteControl(gorilla.CloseMessage, text, time.Now().Add(time.Second))
			_ = conn.Close() // ends ReadMessage
		}()
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

//recipe:end

//recipe:fiber
func socketFiber(server context.Context, sessions *core.Manager, origins ...string) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10, DisableStartupMessage: true})
	app.Use(fiberadapter.Middleware(sessions))
	app.Get("/ws", func(c *fiber.Ctx) error {
		id, err := enter(c.UserContext(), fiberadapter.Session(c))
		if err != nil {
			return c.SendStatus(core.Refuse(err).Status)
		}
		c.Locals("session", id) // neither c nor the session reach the loop
		return c.Next()
	}, contrib.New(func(conn *contrib.Conn) {
		ctx, cancel := context.WithCancel(server)
		id, _ := conn.Locals("session").(core.ID)
		done, err := sessions.Done(ctx, id)
		if err != nil {
			cancel()
			return
		}
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			<-done // the session has ended, or the loop
			text := contrib.FormatCloseMessage(contrib.ClosePolicyViolation, "the session has ended")
			_ = conn.WriteControl(contrib.CloseMessage, text, time.Now().Add(time.Second))
			_ = conn.Close() // ends ReadMessage
		}()
		defer func() { cancel(); <-closed }() // conn is used again for others afterwards
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			answer, err := say(ctx, sessions, id, string(text))
			if err != nil || conn.WriteMessage(contrib.TextMessage, []byte(answer)) != nil {
				return
			}
		}
	}, contrib.Config{Origins: origins})) // such as https://example.com; none given would allow all
	return app
}

//recipe:end

//recipe:nethttp
func socketNetHTTP(sessions *core.Manager, socket http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", socket)
	return httpadapter.Middleware(sessions)(mux)
}

//recipe:end

//recipe:echo
func socketEcho(sessions *core.Manager, socket http.HandlerFunc) *echo.Echo {
	e := echo.New()
	e.Use(echoadapter.Middleware(sessions))
	e.GET("/ws", echo.WrapHandler(socket)) // httpadapter.Session finds the session of echoadapter
	return e
}

//recipe:end

//recipe:gin
func socketGin(sessions *core.Manager, socket http.HandlerFunc) *gin.Engine {
	r := gin.New()
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.GET("/ws", gin.WrapF(socket)) // httpadapter.Session finds the session of ginadapter
	return r
}

//recipe:end
