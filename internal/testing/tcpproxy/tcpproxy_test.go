package tcpproxy

import (
	"bufio"
	"context"
	"net"
	"testing"
	"time"
)

// echo answers every line with itself, and counts lines.
func echo(t *testing.T) (addr string, lines chan string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	lines = make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for s := bufio.NewScanner(conn); s.Scan(); {
					lines <- s.Text()
					_, _ = conn.Write([]byte(s.Text() + "\n"))
				}
			}()
		}
	}()
	return l.Addr().String(), lines
}

// ask sends a line on a new connection, and reports whether it comes back.
func ask(t *testing.T, p *Proxy, line string) bool {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = conn.Write([]byte(line + "\n"))
	s := bufio.NewScanner(conn)
	return s.Scan() && s.Text() == line
}

func TestFaults(t *testing.T) {
	addr, lines := echo(t)
	p := Start(t, addr)
	for _, test := range []struct {
		name          string
		begin         func()
		comes, passes bool
	}{
		{"none", func() {}, true, true},
		{"cut before", func() { p.CutBefore(1) }, false, false},
		{"cut after", func() { p.CutAfter(1) }, false, true},
		{"skip", func() { p.Skip(1); p.CutBefore(1) }, true, true},
		{"after the skipped one", func() {}, false, false},
		{"refuse", p.Refuse, false, false},
		{"healed", p.Heal, true, true},
		{"black hole", p.Blackhole, false, false},
		{"healed again", p.Heal, true, true},
	} {
		test.begin()
		if comes := ask(t, p, test.name); comes != test.comes {
			t.Errorf("%s: the answer comes: %t", test.name, comes)
		}
		select {
		case line := <-lines:
			if !test.passes {
				t.Errorf("%s: the server got %q", test.name, line)
			}
		case <-time.After(20 * time.Millisecond):
			if test.passes {
				t.Errorf("%s: the server got nothing", test.name)
			}
		}
	}
	p.CutAfter(2)
	ask(t, p, "one of two")
	if left := p.Left(); left != 1 {
		t.Errorf("%d faults are left, want 1", left)
	}
	if _, ever := p.Conns(); ever != 10 || p.Turns() != 9 {
		t.Errorf("%d connections and %d turns, want 10 and 9", ever, p.Turns())
	}
}

// TestRename shows that a name is replaced even if the server says it in two parts.
func TestRename(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for _, part := range []string{"its name is old, really ol", "d\n", "no more\n"} {
			_, _ = conn.Write([]byte(part))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	p := Start(t, l.Addr().String())
	p.Rename("old", "new")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	s := bufio.NewScanner(conn)
	for _, want := range []string{"its name is new, really new", "no more"} {
		if !s.Scan() || s.Text() != want {
			t.Errorf("%q, want %q", s.Text(), want)
		}
	}
}
