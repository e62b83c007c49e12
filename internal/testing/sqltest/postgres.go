package sqltest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/process"
)

var postgresData = cluster{initialize: func(dir string) error {
	initdb, err := find("initdb")
	if err != nil {
		return err
	}
	postgres, err := find("postgres")
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if err := run("", initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=2"); err != nil {
		return err
	}
	return run("CREATE ROLE satchel LOGIN\nALTER DATABASE postgres RENAME TO satchel\nALTER DATABASE satchel OWNER TO satchel\n",
		postgres, "--single", "-D", data, "-c", "fsync=off", "template1")
}}

var postgresKind = kind{
	scheme: "postgres", admin: "postgres", query: "?sslmode=disable",
	crash: syscall.SIGQUIT, // "immediate shutdown": nothing is saved, and recovery follows
	command: func(dir string, port int, args []string) (*exec.Cmd, error) {
		path, err := find("postgres")
		if err != nil {
			return nil, err
		}
		list := []string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port)}
		for _, setting := range append([]string{
			"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off",
			"max_connections=200", "shared_buffers=32MB",
		}, args...) {
			list = append(list, "-c", setting)
		}
		return command(path, list...), nil
	},
	ready: func(s *Server, p *process.Process) bool {
		// Its first line is the process ID, its last one the state: it is our server,
		// not another on the port.
		file, _ := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
		lines := strings.Fields(string(file))
		return len(lines) > 1 && lines[0] == strconv.Itoa(p.PID()) && lines[len(lines)-1] == "ready"
	},
}

// NewPostgres starts a PostgreSQL server with these settings ("name=value") besides
// the usual ones. The caller closes it.
func NewPostgres(settings ...string) (*Server, error) {
	dir, err := postgresData.copy()
	if err != nil {
		return nil, err
	}
	return start(postgresKind, dir, settings)
}

// StartPostgres is [NewPostgres] for a test, with which the server ends.
func StartPostgres(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := NewPostgres(settings...)
	return own(tb, s, err)
}

var sharedPostgres = shared{start: NewPostgres}

// SharedPostgres returns the one PostgreSQL server of this test binary, started on
// first use. Tests on it run in parallel, with a [UniquePrefix] each, and must not
// stop or configure it. See [Main].
func SharedPostgres(tb testing.TB) *Server {
	tb.Helper()
	return sharedPostgres.get(tb)
}

// Query runs a query in psql, as the user who may do everything, and returns the fields
// of its first row. It is for figures about the server, which need no driver.
func (s *Server) Query(query string) ([]string, error) {
	psql, err := find("psql")
	if err != nil {
		return nil, err
	}
	cmd := command(psql, "--no-psqlrc", "--tuples-only", "--no-align", "--field-separator= ", "--command", query, s.AdminSource())
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w\n%s", err, failed.Stderr)
		}
		return nil, fmt.Errorf("sqltest: psql: %w", err)
	}
	row, _, _ := strings.Cut(string(out), "\n")
	return strings.Fields(row), nil
}
