package workswith_test

import (
	"context"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// rollBack makes calls that fail keep nothing. Streams and gRPC answer errors with
// status 200, so the sessions' middleware does not see them.
type rollBack struct{}

func undo(ctx context.Context, err error) {
	if s, ok := core.FromContext(ctx); ok && err != nil {
		s.Rollback()
	}
}

func (rollBack) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		undo(ctx, err)
		return res, err
	}
}

func (rollBack) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		err := next(ctx, conn)
		undo(ctx, err)
		return err
	}
}

func (rollBack) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

type text = wrapperspb.StringValue

func services(sessions *core.Manager, interceptors ...connect.Interceptor) http.Handler {
	with := connect.WithInterceptors(interceptors...) // here rollBack{}
	mux := http.NewServeMux()
	mux.Handle("/shop.v1/Login", connect.NewUnaryHandler("/shop.v1/Login", login, with))
	mux.Handle("/shop.v1/Watch", connect.NewServerStreamHandler("/shop.v1/Watch", watch, with))
	mux.Handle("/shop.v1/Who", connect.NewUnaryHandler("/shop.v1/Who", who, with))
	return httpadapter.Middleware(sessions)(mux)
}

func login(ctx context.Context, req *connect.Request[text]) (*connect.Response[text], error) {
	s, _ := core.FromContext(ctx)
	s.Login(req.Msg.GetValue()) // after you have checked the password
	if req.Msg.GetValue() == "nobody" {
		return nil, connect.NewError(connect.CodeInternal, errTest)
	}
	return connect.NewResponse(wrapperspb.String("in")), nil
}

// watch changes the session before its first message: then the header leaves.
func watch(ctx context.Context, req *connect.Request[text], out *connect.ServerStream[text]) error {
	s, _ := core.FromContext(ctx)
	s.Login(req.Msg.GetValue())
	if req.Msg.GetValue() == "nobody" {
		return connect.NewError(connect.CodeInternal, errTest)
	}
	for _, line := range []string{"one", "two"} {
		if err := out.Send(wrapperspb.String(line)); err != nil {
			return err
		}
	}
	return nil
}

func who(ctx context.Context, _ *connect.Request[text]) (*connect.Response[text], error) {
	s, _ := core.FromContext(ctx)
	return connect.NewResponse(wrapperspb.String(s.UserID())), nil
}

// protocols are what one connect handler speaks.
var protocols = map[string]connect.ClientOption{
	"connect": connect.WithClientOptions(), "grpc-web": connect.WithGRPCWeb(), "grpc": connect.WithGRPC(),
}

// caller is a client of the services.
type caller struct {
	*testing.T
	login, watch, who *connect.Client[text, text]
}

func newCaller(t *testing.T, h http.Handler, protocol connect.ClientOption) caller {
	t.Helper()
	b := browse(t, h)
	client := func(path string) *connect.Client[text, text] {
		return connect.NewClient[text, text](b.client, b.base+path, protocol)
	}
	return caller{t, client("/shop.v1/Login"), client("/shop.v1/Watch"), client("/shop.v1/Who")}
}

func (c caller) wantUser(user string) {
	c.Helper()
	res, err := c.who.CallUnary(c.Context(), connect.NewRequest(wrapperspb.String("")))
	if err != nil || res.Msg.GetValue() != user {
		c.Errorf("the user is %v, want %q: %v", res, user, err)
	}
}

// watches returns what the stream has sent.
func (c caller) watches(user string) (lines []string, err error) {
	c.Helper()
	stream, err := c.watch.CallServerStream(c.Context(), connect.NewRequest(wrapperspb.String(user)))
	if err != nil {
		return nil, err
	}
	for stream.Receive() {
		lines = append(lines, stream.Msg().GetValue())
	}
	return lines, stream.Err()
}

func TestConnect(t *testing.T) {
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t, services(manager(t), rollBack{}), protocol)
			c.wantUser("")
			if _, err := c.login.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("nobody"))); connect.CodeOf(err) != connect.CodeInternal {
				t.Errorf("the error is %v", err)
			}
			c.wantUser("")
			if lines, err := c.watches("nobody"); len(lines) != 0 || connect.CodeOf(err) != connect.CodeInternal {
				t.Errorf("%q, %v", lines, err)
			}
			c.wantUser("")
			if _, err := c.login.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("ann"))); err != nil {
				t.Error(err)
			}
			c.wantUser("ann")
			if lines, err := c.watches("ben"); len(lines) != 2 || err != nil {
				t.Errorf("%q, %v", lines, err)
			}
			c.wantUser("ben")
		})
	}
}

// Without the interceptor, errors that are answered with 200 keep what the call has
// changed. When this fails, the page and the interceptor can go.
func TestConnectWithoutRollback(t *testing.T) {
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t, services(manager(t)), protocol)
			_, _ = c.login.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("nobody"))) // fails
			if name == "connect" {
				c.wantUser("") // a 500
			} else {
				c.wantUser("nobody")
			}
			_, _ = c.watches("nobody") // fails
			c.wantUser("nobody")
		})
	}
}
