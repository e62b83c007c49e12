// Package sqltest runs real SQL servers for tests and tools: PostgreSQL, MariaDB and
// PgBouncer.
//
//	srv := sqltest.SharedPostgres(t)     // one server for the whole test binary
//	srv := sqltest.StartMariaDB(t)       // its own server, for faults
//	pool := sqltest.StartPgBouncer(t, srv)
//	prefix := sqltest.UniquePrefix(t)    // of table names: keeps tests apart
//
// Servers listen on free loopback ports, have a database "satchel" that belongs to
// the user "satchel", and let everybody in without a password. A commit survives a
// crash of the server, but not one of the machine: nothing waits for the disk.
// They end with the process that started them. No test is skipped: without the
// programs it fails and says how to install them.
//
// The package needs no driver: which one to use is up to the tests.
package sqltest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// Server is a running server. It is safe for concurrent use.
type Server struct {
	kind kind
	port int
	dir  string // its own, removed by Close
	args []string

	mu   sync.Mutex
	proc *process.Process
}

// kind is what sets the servers apart.
type kind struct {
	scheme, admin string // of URLs, and who may do everything
	query         string // of URLs
	command       func(dir string, port int, args []string) (*exec.Cmd, error)
	ready         func(s *Server, p *process.Process) bool
	crash         syscall.Signal // ends the server at once, with all that belongs to it
}

// start runs a server of a kind in dir, which then belongs to it.
func start(k kind, dir string, args []string) (*Server, error) {
	s := &Server{kind: k, dir: dir, args: args}
	var err error
	for range 5 { // another process may take the port in between
		if s.port, err = process.FreePort(); err != nil {
			break
		}
		if err = s.Restart(); err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), "in use") {
			break
		}
	}
	s.Close()
	return nil, err
}

// Restart ends the server as [Server.Crash] does if it runs, and starts it again on
// its port, with its data. args, if any, replace those of its start.
func (s *Server) Restart(args ...string) error {
	s.Crash()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(args) > 0 {
		s.args = args
	}
	cmd, err := s.kind.command(s.dir, s.port, s.args)
	if err != nil {
		return err
	}
	if s.proc, err = process.Start(cmd); err == nil {
		err = s.proc.Await(func() bool { return s.kind.ready(s, s.proc) })
	}
	if err != nil {
		return fmt.Errorf("sqltest: %w", err)
	}
	return nil
}

// Crash ends the server at once, its clients' connections included, and waits until
// it is gone. What was committed is there after [Server.Restart].
func (s *Server) Crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.Stop(s.kind.crash)
	}
}

// PID returns the ID of the server's process, another one after [Server.Restart].
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.PID()
}

// Suspend stops the server from running until [Server.Resume]. PostgreSQL's open
// connections go on, as each has a process of its own; new ones wait.
func (s *Server) Suspend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Suspend()
}

// Resume lets a suspended server go on.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Resume()
}

// Close ends the server and removes its data.
func (s *Server) Close() {
	s.Crash()
	_ = os.RemoveAll(s.dir)
}

// Log returns the end of the server's output.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Log()
}

// Addr returns the address to connect to, "127.0.0.1:port". A restart keeps it.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns where the user satchel finds its database, as a URL that begins with
// postgres:// or mysql://.
func (s *Server) URL() string { return s.kind.scheme + "://" + s.at("satchel", s.Addr()) }

// Source returns the same as drivers for database/sql take it.
func (s *Server) Source() string { return s.SourceAt(s.Addr()) }

// SourceAt is Source for another address, such as a proxy's.
func (s *Server) SourceAt(addr string) string { return s.source("satchel", addr) }

// AdminSource is Source for the user who may do everything.
func (s *Server) AdminSource() string { return s.source(s.kind.admin, s.Addr()) }

func (s *Server) source(user, addr string) string {
	if s.kind.scheme == "mysql" {
		return s.at(user, "tcp("+addr+")")
	}
	return s.kind.scheme + "://" + s.at(user, addr)
}

func (s *Server) at(user, addr string) string { return user + "@" + addr + "/satchel" + s.kind.query }

// cluster initialises a data directory, once in a process, and copies it for each
// server.
type cluster struct {
	initialize func(dir string) error

	once sync.Once
	dir  string
	err  error
}

func (c *cluster) copy() (string, error) {
	c.once.Do(func() {
		if c.dir, c.err = process.UnprivilegedDir(); c.err == nil {
			atEnd(func() { _ = os.RemoveAll(c.dir) })
			c.err = c.initialize(c.dir)
		}
	})
	if c.err != nil {
		return "", c.err
	}
	dir, err := process.UnprivilegedDir()
	if err != nil {
		return "", err
	}
	if err := run("", "cp", "-R", filepath.Join(c.dir, "data"), dir); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

// command runs a program without rights, in English.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) //nolint:noctx // servers outlive the call; each is ended by process ID
	process.Unprivileged(cmd)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	return cmd
}

// run runs a program to its end.
func run(input, name string, args ...string) error {
	cmd := command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sqltest: %s: %w\n%s", name, err, out)
	}
	return nil
}

// find looks for a program in PATH, then in the folders that packages use and that
// are not in every user's PATH. The Makefile looks in the same.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range []string{
		"/usr/sbin", "/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/*/bin", "/usr/local/opt/*/bin",
	} {
		found, _ := filepath.Glob(filepath.Join(folder, name)) // the patterns are correct
		if len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", errors.New(name + ` is not in PATH, and these tests need the real one: "make databases" installs it, or says how`)
}

// shared is one server for the whole process.
type shared struct {
	start func(...string) (*Server, error)

	once   sync.Once
	server *Server
	err    error
}

func (s *shared) get(tb testing.TB) *Server {
	tb.Helper()
	s.once.Do(func() {
		if s.server, s.err = s.start(); s.err == nil {
			atEnd(s.server.Close)
		}
	})
	if s.err != nil {
		tb.Fatal(s.err)
	}
	return s.server
}

// own ties a server's life to a test's.
func own(tb testing.TB, s *Server, err error) *Server {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

var (
	endsMu sync.Mutex
	ends   []func() // what is left to do when the tests have run
)

func atEnd(f func()) {
	endsMu.Lock()
	defer endsMu.Unlock()
	ends = append(ends, f)
}

// Main runs the tests, ends the shared servers, removes all data and returns the
// exit code. Call it in TestMain: os.Exit(sqltest.Main(m)).
func Main(m interface{ Run() int }) int {
	code := m.Run()
	endsMu.Lock()
	defer endsMu.Unlock()
	for _, end := range ends {
		end()
	}
	ends = nil
	return code
}

var (
	prefixes   atomic.Uint64
	prefixSeed = rand.Uint32()
)

// UniquePrefix returns a unique prefix for the names of tables, ending in an
// underscore.
func UniquePrefix(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("t%08x_%d_", prefixSeed, prefixes.Add(1))
}
