package redistest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// replyTimeout bounds one command, so that a stopped server fails a test
// instead of hanging it.
const replyTimeout = 5 * time.Second

// Option changes how a server is started.
type Option func(*settings)

type settings struct {
	args     []string
	password string
	tls      bool
	file     func(port int) (path string, err error) // a configuration file
}

// Args adds arguments to the command line of redis-server, for example
// Args("--maxmemory", "10mb", "--maxmemory-policy", "noeviction").
func Args(args ...string) Option {
	return func(s *settings) { s.args = append(s.args, args...) }
}

// Password makes clients authenticate as the default user.
func Password(password string) Option {
	return func(s *settings) { s.password = password }
}

// TLS makes the server speak TLS only, with a certificate made for the test:
// see [Server.TLSConfig].
func TLS() Option {
	return func(s *settings) { s.tls = true }
}

// Server is a running redis-server. It is safe for concurrent use.
type Server struct {
	tb       testing.TB
	settings settings
	port     int
	dir      string
	identity *identity // nil without TLS

	mu   sync.Mutex
	proc *process.Process
}

// Start starts a server on a free loopback port and waits until it answers.
// It is killed when tb ends.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Launch(tb.TempDir(), opts...)
	if err != nil {
		tb.Fatal(err)
	}
	s.tb = tb
	tb.Cleanup(s.Kill)
	return s
}

// Launch is [Start] outside a test, with the server's files in dir. The caller kills the
// server, and must not call its methods that report to a test: Restart, Stop and Continue.
func Launch(dir string, opts ...Option) (*Server, error) {
	s := &Server{dir: dir}
	for _, o := range opts {
		o(&s.settings)
	}
	if s.settings.tls {
		var err error
		if s.identity, err = newIdentity(dir); err != nil {
			return nil, err
		}
	}
	var err error
	for range 5 { // another process may take the port in between
		if s.port, err = process.FreePort(); err != nil {
			return nil, err
		}
		if err = s.launch(); err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), "in use") {
			break
		}
	}
	return nil, err
}

// launch runs the process on the server's port until it answers.
func (s *Server) launch() error {
	args, err := s.commandLine()
	if err != nil {
		return err
	}
	p, err := startProcess(args)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	// The process ID shows that it is our server and not another on the port.
	ours := fmt.Sprintf("process_id:%d\r\n", p.PID())
	if err := p.Await(func() bool {
		info, _ := s.Do("INFO", "server")
		text, _ := info.(string)
		return strings.Contains(text, ours)
	}); err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	return nil
}

func (s *Server) commandLine() ([]string, error) {
	var args []string
	port := strconv.Itoa(s.port)
	if s.settings.file != nil {
		path, err := s.settings.file(s.port)
		if err != nil {
			return nil, err
		}
		return append([]string{path}, s.settings.args...), nil
	}
	args = append(args, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no",
		"--daemonize", "no")
	if major() >= 7 { // earlier versions have the command enabled
		args = append(args, "--enable-debug-command", "local")
	}
	if s.identity != nil {
		args = append(args, "--port", "0", "--tls-port", port, "--tls-auth-clients", "no",
			"--tls-cert-file", s.identity.cert, "--tls-key-file", s.identity.key, "--tls-ca-cert-file", s.identity.cert)
	} else {
		args = append(args, "--port", port)
	}
	if s.settings.password != "" {
		args = append(args, "--requirepass", s.settings.password, "--masterauth", s.settings.password)
	}
	return append(args, s.settings.args...), nil
}

// Addr returns the address to connect to, "127.0.0.1:port".
func (s *Server) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// Port returns the port that the server listens on. A restart keeps it.
func (s *Server) Port() int { return s.port }

// URL returns the address in the form that clients parse, with any password:
// "redis://127.0.0.1:port/0", or rediss with TLS.
func (s *Server) URL() string {
	u := url.URL{Scheme: "redis", Host: s.Addr(), Path: "/0"}
	if s.identity != nil {
		u.Scheme = "rediss"
	}
	if s.settings.password != "" {
		u.User = url.UserPassword("", s.settings.password)
	}
	return u.String()
}

// Log returns the end of the server's output.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Log()
}

// Kill ends the server at once, like a crash, and waits until it is gone. Killing
// it again does nothing.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc.Kill()
}

// Restart kills the server if it runs, and starts it again, empty, on the same
// port.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	var err error
	for range 5 {
		if err = s.launch(); err == nil {
			return
		}
	}
	s.tb.Fatal(err)
}

// Stop suspends the process. The system still accepts connections, but nothing is
// answered until [Server.Continue].
func (s *Server) Stop() {
	s.tb.Helper()
	s.signal((*process.Process).Suspend)
}

// Continue lets a stopped server go on, with everything sent to it in between.
func (s *Server) Continue() {
	s.tb.Helper()
	s.signal((*process.Process).Resume)
}

func (s *Server) signal(send func(*process.Process) error) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := send(s.proc); err != nil {
		s.tb.Fatalf("redistest: signal the server: %v", err)
	}
}

// Do runs one command on its own connection and returns its answer: a string, an
// int64, nil, or a []any of these. The server's errors are a [ReplyError].
func (s *Server) Do(args ...string) (any, error) {
	conn, err := s.dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	if s.settings.password != "" {
		if _, err := roundTrip(conn, r, []string{"AUTH", s.settings.password}); err != nil {
			return nil, err
		}
	}
	return roundTrip(conn, r, args)
}

func (s *Server) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), replyTimeout)
	defer cancel()
	if s.identity != nil {
		d := tls.Dialer{Config: s.identity.config}
		return d.DialContext(ctx, "tcp", s.Addr())
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", s.Addr())
}

func roundTrip(conn net.Conn, r *bufio.Reader, args []string) (any, error) {
	if _, err := conn.Write(encodeCommand(args)); err != nil {
		return nil, err
	}
	return readReply(r)
}
