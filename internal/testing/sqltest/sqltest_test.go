package sqltest

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// Each server starts, takes connections, survives a crash and is gone after Close.
func TestServers(t *testing.T) {
	t.Parallel()
	upstream := SharedPostgres(t)
	for name, begin := range map[string]func() (*Server, error){
		"postgres":  func() (*Server, error) { return NewPostgres() },
		"mariadb":   func() (*Server, error) { return NewMariaDB() },
		"pgbouncer": func() (*Server, error) { return NewPgBouncer(upstream) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := begin()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			dial := func() error {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
				if err == nil {
					_ = conn.Close()
				}
				return err
			}
			if err := dial(); err != nil {
				t.Fatal(err)
			}
			s.Crash()
			if dial() == nil {
				t.Fatal("it still answers after a crash")
			}
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			if err := dial(); err != nil {
				t.Error(err)
			}
			s.Close()
			if _, err := os.Stat(s.dir); dial() == nil || err == nil {
				t.Error("it or its data is there after Close")
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	s := SharedPostgres(t)
	row, err := s.Query("SELECT 1, sum(n), current_user FROM generate_series(1, 3) n UNION ALL SELECT 2, 2, '2'")
	if want := []string{"1", "6", "postgres"}; err != nil || !slices.Equal(row, want) {
		t.Errorf("%q, %v; want %q", row, err, want)
	}
	if _, err := s.Query("SELECT nothing"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a bad query: %v", err)
	}
}

func TestMissingServerSaysHowToInstall(t *testing.T) {
	if _, err := find("no-such-server"); err == nil || !strings.Contains(err.Error(), "make databases") {
		t.Errorf("find: %v", err)
	}
}
