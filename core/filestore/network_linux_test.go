package filestore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// TestNetworkIsRefused takes the file system of this machine for one of another.
func TestNetworkIsRefused(t *testing.T) {
	dir := t.TempDir()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	kind := uint32(stat.Type)
	if name := networks[kind]; name != "" {
		t.Skip("the temporary directory is on " + name)
	}
	networks[kind] = "a test's network"
	defer delete(networks, kind)
	if _, err := Open(dir, Config{}); err == nil || !strings.Contains(err.Error(), "a test's network") || !strings.Contains(err.Error(), "AllowNetwork") {
		t.Errorf("Open: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the directory has %d files, %v", len(entries), err)
	}
	shut(t, mustOpen(t, dir, Config{AllowNetwork: true}))
}

// TestC3DiskReallyFull fills a file system of its own, of a megabyte, and makes room.
func TestC3DiskReallyFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs root, to mount a file system: %v %s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 700<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "sessions")
	s := mustOpen(t, store, Config{})
	stored := 0
	e := core.Entry{Data: make([]byte, 10<<10), Expires: time.Now().Add(time.Hour)}
	for {
		_, err := s.Save(t.Context(), sessionID(stored), e, 0)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil || stored > 100 {
			t.Fatalf("Save number %d: %v", stored, err)
		}
		stored++
	}
	if err := s.Delete(t.Context(), sessionID(0)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Delete: %v", err)
	}
	if _, err := s.Load(t.Context(), sessionID(1)); err != nil {
		t.Errorf("Load: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store works again", func() bool { return s.Delete(t.Context(), sessionID(0)) == nil })
	shut(t, s)
	s = mustOpen(t, store, Config{})
	if found := there(t, s, stored); len(found) != stored-1 || found[0] != 1 {
		t.Errorf("%d of %d sessions are there", len(found), stored)
	}
	shut(t, s)
}
