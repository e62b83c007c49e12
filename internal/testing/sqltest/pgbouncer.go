package sqltest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// NewPgBouncer starts a PgBouncer in transaction mode in front of a PostgreSQL server,
// with these settings ("name = value") besides the usual ones. The caller closes it.
func NewPgBouncer(postgres *Server, settings ...string) (*Server, error) {
	dir, err := process.UnprivilegedDir()
	if err != nil {
		return nil, err
	}
	k := kind{
		scheme: "postgres", admin: "postgres", query: "?sslmode=disable",
		crash: syscall.SIGKILL,
		command: func(dir string, port int, args []string) (*exec.Cmd, error) {
			path, err := find("pgbouncer")
			if err != nil {
				return nil, err
			}
			file := filepath.Join(dir, "pgbouncer.ini")
			text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\n"+
				"unix_socket_dir =\nauth_type = trust\nauth_file = %s\npool_mode = transaction\nignore_startup_parameters = extra_float_digits\n%s\n",
				postgres.port, port, filepath.Join(dir, "users"), strings.Join(args, "\n"))
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return nil, err
			}
			users := []byte("\"satchel\" \"\"\n\"postgres\" \"\"\n")
			if err := os.WriteFile(filepath.Join(dir, "users"), users, 0o644); err != nil {
				return nil, err
			}
			return command(path, file), nil
		},
		ready: func(_ *Server, p *process.Process) bool { return strings.Contains(p.Log(), "process up") },
	}
	return start(k, dir, settings)
}

// StartPgBouncer is [NewPgBouncer] for a test, with which it ends.
func StartPgBouncer(tb testing.TB, postgres *Server, settings ...string) *Server {
	tb.Helper()
	s, err := NewPgBouncer(postgres, settings...)
	return own(tb, s, err)
}
