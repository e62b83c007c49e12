package echov5adapter

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// exchange is an Exchange that answers errors as Echo handlers do.
type exchange struct {
	httpadapter.Exchange
	c       *echo.Context
	onError func(*echo.Context, error) error
}

var (
	_ httpadapter.ErrorAnswerer = (*exchange)(nil)
	_ http.ResponseWriter       = (*exchange)(nil)
)

// AnswerError implements [httpadapter.ErrorAnswerer]. It answers through the
// real writer, then restores the handler's, which leads to ours: that refuses
// anything the handler still writes.
func (x *exchange) AnswerError(err error) {
	x.record()
	writer, way := x.c.Response(), &gate{x.Unwrap()}
	x.c.SetResponse(way)
	if err := x.onError(x.c, err); err != nil {
		x.c.Echo().HTTPErrorHandler(x.c, withStatus(err))
	}
	way.ResponseWriter = x
	x.c.SetResponse(writer)
}

// gate leads to the real writer while an error is answered, and to ours afterwards.
// Echo's JSON writes through a writer that lives in the Context: if the handler's
// JSON is under way, it goes on with whatever the error's JSON wrote to.
type gate struct{ http.ResponseWriter }

// Unwrap lets Echo find its Response.
func (g *gate) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// Sent implements [httpadapter.Sender]: a handler may have unwrapped the
// *echo.Response and written there, past us.
func (x *exchange) Sent() (status int, ok bool) {
	res := x.record()
	return res.Status, res.Committed
}

// record returns what Echo knows of the response. Echo takes early hints for the
// response, and would drop the response's own status after them.
func (x *exchange) record() *echo.Response {
	res, err := echo.UnwrapResponse(x.Unwrap())
	if err != nil {
		return &echo.Response{} // a writer outside hides it
	}
	if res.Committed && res.Status < 200 && res.Status != http.StatusSwitchingProtocols {
		res.Committed, res.Status = false, http.StatusOK
	}
	return res
}

// errorKey is where HandlerError finds what the handlers have returned.
const errorKey = "github.com/satchel-go/satchel/echov5adapter.error"

// handle has the application's HTTPErrorHandler answer an error of the handlers,
// unless the error of the session was answered in its place.
func (x *exchange) handle(err error) {
	x.c.Set(errorKey, err)
	if x.Refused() {
		return
	}
	if res := x.record(); x.Started() && !res.Committed { // the first byte waits, here or in a writer outside
		writer := x.c.Response()
		begun := echo.NewResponse(writer, x.c.Logger())
		begun.Committed, begun.Status = true, x.Status()
		x.c.SetResponse(begun)
		defer x.c.SetResponse(writer)
	}
	x.c.Echo().HTTPErrorHandler(x.c, withStatus(err))
}

// withStatus gives an error of the core the status with which the middleware itself
// would answer it. The application's HTTPErrorHandler may decide otherwise.
func withStatus(err error) error {
	r := core.ErrorResponseFor(err)
	if own := echo.HTTPStatusCoder(nil); r.Status == http.StatusInternalServerError || errors.As(err, &own) {
		return err
	}
	return echo.NewHTTPError(r.Status, strings.TrimSpace(r.Body)).Wrap(err)
}

// close is for defer. It restores the real writer, unless middleware inside has left
// its own in place.
func (x *exchange) close() {
	if x.c.Response() == http.ResponseWriter(x) {
		x.c.SetResponse(x.Unwrap())
	}
	x.Close()
}
