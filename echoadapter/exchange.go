package echoadapter

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core/httpadapter"
)

// exchange is an Exchange that answers errors as Echo handlers do, and keeps
// what Echo knows of the response true.
type exchange struct {
	httpadapter.Exchange
	c       echo.Context
	onError func(echo.Context, error) error
}

var (
	_ httpadapter.ErrorAnswerer = (*exchange)(nil)
	_ http.ResponseWriter       = (*exchange)(nil)
)

// AnswerError implements [httpadapter.ErrorAnswerer]. The answer goes through
// the real writer; afterwards ours is back and refuses what the handler still writes.
func (x *exchange) AnswerError(err error) {
	res := x.c.Response()
	writer := res.Writer
	res.Writer = x.Unwrap()
	forget(res)
	if err := x.onError(x.c, err); err != nil {
		x.c.Error(err)
	}
	res.Writer = writer
}

// close is for defer. After a panic, what the handler wrote may still be held
// back: then it will not be sent, and whoever recovers outside may answer.
func (x *exchange) close() {
	res := x.c.Response()
	res.Writer = x.Unwrap()
	if _, held := x.Held(); held {
		forget(res)
	}
	x.Close()
}

// forget makes Echo think that nothing was written.
func forget(res *echo.Response) {
	res.Status, res.Size, res.Committed = http.StatusOK, 0, false
}
