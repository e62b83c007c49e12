package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// target is a store for one probe.
type target struct {
	url  string
	look func(*sample) error // adds what the probe cannot say
	stop func()
}

// open makes a store, which removes what has expired that often if it does so by itself.
// Call stop at the end.
func (p plan) open(store string, sweep time.Duration) (target, error) {
	switch store {
	case "memory":
		return target{url: "memory:?sweep=" + sweep.String(), look: func(*sample) error { return nil }, stop: func() {}}, nil
	case "file":
		dir, err := os.MkdirTemp(p.folder, "file-")
		look := func(s *sample) (err error) {
			s.size, err = sizeOf(dir)
			return err
		}
		return target{"file:" + dir, look, func() {}}, err
	case "redis":
		server, err := redistest.Launch(p.folder)
		if err != nil {
			return target{}, err
		}
		return target{server.URL(), func(s *sample) error { return lookAtRedis(server, s) }, server.Kill}, nil
	case "postgres":
		// As a new installation has them, and other than for tests.
		server, err := sqltest.NewPostgres("fsync=on", "full_page_writes=on", "shared_buffers=128MB", "autovacuum=on")
		if err != nil {
			return target{}, err
		}
		url := server.URL() + "&sweep=" + sweep.String()
		return target{url, func(s *sample) error { return lookAtPostgres(server, s) }, server.Close}, nil
	}
	return target{}, fmt.Errorf("-stores: %q is none of memory, file, redis and postgres", store)
}

// sizeOf returns how many bytes the files below dir have.
func sizeOf(dir string) (size int, err error) {
	return size, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil { // or the store has just removed it
			size += int(info.Size())
		}
		return nil
	})
}

func lookAtRedis(server *redistest.Server, s *sample) error {
	info := map[string]int{}
	for _, section := range []string{"memory", "clients"} {
		answer, err := server.Do("INFO", section)
		if err != nil {
			return err
		}
		text, _ := answer.(string)
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			info[name], _ = strconv.Atoi(value) // 0: it is no number
		}
	}
	keys, err := server.Do("DBSIZE")
	n, _ := keys.(int64)
	s.sessions, s.size, s.connections = int(n), info["used_memory"], info["connected_clients"]-1 // which asks
	return err
}

// postgresFigures are of both tables together with their indexes.
const postgresFigures = `SELECT
  (SELECT count(*) FROM satchel_sessions),
  pg_total_relation_size('satchel_sessions') + pg_total_relation_size('satchel_members'),
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())`

func lookAtPostgres(server *sqltest.Server, s *sample) error {
	row, err := server.Query(postgresFigures)
	if err != nil {
		return err
	}
	into := []*int{&s.sessions, &s.size, &s.connections}
	if len(row) != len(into) {
		return fmt.Errorf("PostgreSQL answers %q", row)
	}
	for i, text := range row {
		if *into[i], err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	return nil
}
