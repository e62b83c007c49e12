package sqltest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// small keeps the logs of a server, and copies of it, small.
var small = []string{"--innodb-log-file-size=8M", "--innodb-log-buffer-size=2M"}

var mariaData = cluster{initialize: func(dir string) error {
	path, err := find("mariadb-install-db")
	if err != nil {
		return err
	}
	setup := "CREATE DATABASE satchel;\nFLUSH PRIVILEGES;\nCREATE USER satchel@'127.0.0.1';\nGRANT ALL ON satchel.* TO satchel@'127.0.0.1';\n"
	file := filepath.Join(dir, "setup.sql")
	if err := os.WriteFile(file, []byte(setup), 0o644); err != nil {
		return err
	}
	return run("", path, append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--extra-file=" + file, "--tmpdir=" + dir,
	}, small...)...)
}}

var mariaKind = kind{
	scheme: "mysql", admin: "root",
	crash: syscall.SIGKILL,
	command: func(dir string, port int, args []string) (*exec.Cmd, error) {
		path, err := find("mariadbd")
		if err != nil {
			return nil, err
		}
		list := append([]string{
			"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
			"--socket=" + filepath.Join(dir, "socket"), "--pid-file=" + filepath.Join(dir, "pid"), "--skip-log-bin",
			"--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync",
			"--innodb-temp-data-file-path=ibtmp1:2M:autoextend",
			"--skip-name-resolve", "--max-connections=300", "--sync-frm=0",
			"--tmpdir=" + dir, // a server that starts removes the temporary tables of others in /tmp
		}, small...)
		return command(path, append(list, args...)...), nil
	},
	ready: func(_ *Server, p *process.Process) bool { return strings.Contains(p.Log(), "ready for connections") },
}

// NewMariaDB starts a MariaDB server with these arguments ("--name=value") besides
// the usual ones. The caller closes it.
func NewMariaDB(args ...string) (*Server, error) {
	dir, err := mariaData.copy()
	if err != nil {
		return nil, err
	}
	return start(mariaKind, dir, args)
}

// StartMariaDB is [NewMariaDB] for a test, with which the server ends.
func StartMariaDB(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := NewMariaDB(args...)
	return own(tb, s, err)
}

var sharedMariaDB = shared{start: NewMariaDB}

// SharedMariaDB is [SharedPostgres] for MariaDB.
func SharedMariaDB(tb testing.TB) *Server {
	tb.Helper()
	return sharedMariaDB.get(tb)
}
