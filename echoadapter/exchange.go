package echoadapter

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// exchange is an Exchange that answers errors as Echo handlers do. It keeps
// Echo's own record of the response correct.
type exchange struct {
	httpadapter.Exchange
	c       echo.Context
	onError func(echo.Context, error) error
}

var (
	_ httpadapter.ErrorAnswerer = (*exchange)(nil)
	_ http.ResponseWriter       = (*exchange)(nil)
)

// AnswerError implements [httpadapter.ErrorAnswerer]. It answers through the
// real writer, then restores ours, which refuses anything the handler still writes.
func (x *exchange) AnswerError(err error) {
	res := x.c.Response()
	writer := res.Writer
	res.Writer = x.Unwrap()
	forget(res)
	if err := x.onError(x.c, err); err != nil {
		x.c.Error(withStatus(err))
	}
	res.Writer = writer
}

// errorKey is where HandlerError finds what the handlers have returned.
const errorKey = "github.com/satchel-go/satchel/echoadapter.error"

// handle has the application's HTTPErrorHandler answer an error of the handlers,
// unless the error of the session was answered in its place.
func (x *exchange) handle(err error) {
	x.c.Set(errorKey, err)
	if x.Refused() {
		return
	}
	if x.Started() {
		x.c.Response().Committed = true // though it may have begun behind Echo's back
	}
	x.c.Error(withStatus(err))
}

// withStatus gives an error of the core the status with which the middleware itself
// would answer it. The application's HTTPErrorHandler may decide otherwise.
func withStatus(err error) error {
	r := core.ErrorResponseFor(err)
	if own := (*echo.HTTPError)(nil); r.Status == http.StatusInternalServerError || errors.As(err, &own) {
		return err
	}
	return echo.NewHTTPError(r.Status, strings.TrimSpace(r.Body)).SetInternal(err)
}

// close is for defer. It restores the real writer, unless middleware inside has left
// its own in place. If a panic left the handler's body held back, close drops it, so that
// middleware that recovers outside can answer.
func (x *exchange) close() {
	res := x.c.Response()
	if res.Writer == http.ResponseWriter(x) {
		res.Writer = x.Unwrap()
	}
	if _, held := x.Held(); held {
		forget(res)
	}
	x.Close()
}

// forget makes Echo think that nothing was written.
func forget(res *echo.Response) {
	res.Status, res.Size, res.Committed = http.StatusOK, 0, false
}
