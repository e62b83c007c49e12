// Package memcachedtest runs real Memcached servers for tests and tools.
//
//	srv := memcachedtest.Shared(t)       // one server for the whole test binary
//	srv := memcachedtest.Start(t, "-M")  // its own server, for faults
//	prefix := memcachedtest.UniquePrefix(t)
//
// Servers listen on free loopback ports and end with the process that started them. No
// test is skipped: without Memcached it fails and says how to install it.
package memcachedtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// errNotInstalled says how to install Memcached on the systems that the project supports.
var errNotInstalled = errors.New("memcached is not in PATH, and these tests need the real one; install it with\n" +
	"\tapt-get install memcached   (Debian, Ubuntu; as root or with sudo)\n" +
	"\tbrew install memcached      (macOS)")

// Server is a running Memcached. It is safe for concurrent use.
type Server struct {
	port int
	args []string

	mu   sync.Mutex
	proc *process.Process
}

// New starts a server with these arguments. The caller kills it.
func New(args ...string) (*Server, error) {
	s := &Server{args: args}
	var err error
	for range 5 { // another process may take the port in between
		if s.port, err = process.FreePort(); err != nil {
			return nil, err
		}
		if err = s.launch(); err == nil || !strings.Contains(err.Error(), "in use") {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Start is [New] for a test, with which the server ends.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := New(args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	return s
}

func (s *Server) launch() error {
	path, err := exec.LookPath("memcached")
	if err != nil {
		return errNotInstalled
	}
	args := append([]string{"-l", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "0"}, s.args...)
	cmd := exec.CommandContext(context.Background(), path, args...)
	process.Unprivileged(cmd)
	cmd.Dir = "/"
	p, err := process.Start(cmd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	if err := p.Await(func() bool { return s.listens(p.PID()) }); err != nil {
		return fmt.Errorf("memcachedtest: %w", err)
	}
	return nil
}

// listens reports whether the server with this process ID answers. One that wants more
// than a plain connection does not say who it is.
func (s *Server) listens(pid int) bool {
	lines, err := s.Lines("stats\r\n")
	if err != nil || len(lines) == 0 {
		return errors.Is(err, errClosed)
	}
	ours := fmt.Sprintf("STAT pid %d", pid)
	for _, line := range lines {
		if line == ours || strings.HasPrefix(line, "CLIENT_ERROR") {
			return true
		}
	}
	return false
}

// Addr returns the address to connect to, "127.0.0.1:port". A restart keeps it.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// errClosed means that the server has accepted a connection and closed it.
var errClosed = errors.New("memcachedtest: the server closed the connection")

// Lines sends a command on its own connection, and returns the lines of the answer up to
// the one that ends it. A value of "get" is one of them, whatever its bytes.
func (s *Server) Lines(command string) ([]string, error) {
	const timeout = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte(command)); err != nil {
		return nil, err
	}
	var lines []string
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errClosed, err)
		}
		line = strings.TrimSuffix(line, "\r\n")
		lines = append(lines, line)
		word, _, _ := strings.Cut(line, " ")
		if word == "VALUE" {
			size, err := strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
			if err != nil {
				return nil, err
			}
			value := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(r, value); err != nil {
				return nil, fmt.Errorf("%w: %w", errClosed, err)
			}
			lines = append(lines, string(value[:size]))
			continue
		}
		if word != "STAT" && word != "VALUE" && word != "VA" && !strings.HasPrefix(word, "key=") {
			return lines, nil
		}
	}
}

// Stat returns a number that the server counts, such as "curr_items".
func (s *Server) Stat(tb testing.TB, name string) int {
	tb.Helper()
	lines, err := s.Lines("stats\r\n")
	if err != nil {
		tb.Fatal(err)
	}
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "STAT "+name+" "); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	tb.Fatalf("the server counts no %s", name)
	return 0
}

// Do sends a command whose answer is one line, and returns that.
func (s *Server) Do(tb testing.TB, command string) string {
	tb.Helper()
	lines, err := s.Lines(command)
	if err != nil {
		tb.Fatal(err)
	}
	return lines[0]
}

// Log returns the end of the server's output.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Log()
}

// Kill ends the server at once, with all that it had, and waits until it is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc.Kill()
}

// Restart kills the server if it runs, and starts it again, empty, on the same port.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Kill()
	if err := s.launch(); err != nil {
		tb.Fatal(err)
	}
}

// Stop suspends the process. The system still accepts connections, but nothing is
// answered until [Server.Continue].
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.proc.Suspend(); err != nil {
		tb.Fatal(err)
	}
	for s.answers(20 * time.Millisecond) { // on a busy machine it takes a moment
		time.Sleep(time.Millisecond)
	}
}

// answers reports whether the server answers a new connection within d.
func (s *Server) answers(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(d)) // without it, Read fails
	_, _ = conn.Write([]byte("version\r\n"))
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// Continue lets a stopped server go on, with everything sent to it in between.
func (s *Server) Continue(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.proc.Resume(); err != nil {
		tb.Fatal(err)
	}
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Shared returns the one server of this test binary, started on first use. Tests on it
// use a [UniquePrefix] to stay apart, and neither empty nor stop it.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = New("-M") })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.server
}

// Main runs the tests, kills the [Shared] server and returns the exit code. Call it in
// TestMain: os.Exit(memcachedtest.Main(m)).
func Main(m interface{ Run() int }) int {
	code := m.Run()
	shared.once.Do(func() { shared.err = errors.New("memcachedtest: the tests have ended") })
	if shared.server != nil {
		shared.server.Kill()
	}
	return code
}

var (
	prefixes   atomic.Uint64
	prefixSeed = rand.Uint32()
)

// UniquePrefix returns a unique prefix of keys, ending in a colon.
func UniquePrefix(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("t%08x-%d:", prefixSeed, prefixes.Add(1))
}

// Readable returns a copy of content in a file that the server's user can read.
func Readable(tb testing.TB, content []byte) string {
	tb.Helper()
	dir, err := process.UnprivilegedDir()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		tb.Fatal(err)
	}
	return file
}
