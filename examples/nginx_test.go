package examples_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/process"
)

// startNginx starts nginx in front of a server, with these settings of its location
// besides the defaults, and returns its address.
func startNginx(t *testing.T, upstream, settings string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx") // which is not in every user's PATH
	}
	if err != nil {
		t.Fatal("this test needs nginx; install it with\n\tapt-get install nginx-light   (Debian, Ubuntu; as root or with sudo)\n\tbrew install nginx            (macOS)")
	}
	for range 5 { // until the port is still free when nginx takes it
		if address := tryNginx(t, path, upstream, settings); address != "" {
			return address
		}
	}
	t.Fatal("nginx does not start")
	return ""
}

func tryNginx(t *testing.T, path, upstream, settings string) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; location / { proxy_pass %[3]s; %[4]s } }
}`, dir, address, upstream, settings)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx, err := process.Start(exec.CommandContext(context.WithoutCancel(t.Context()), path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nginx.Stop(syscall.SIGTERM) })
	if err := nginx.Await(func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}); err != nil {
		t.Log(err)
		return ""
	}
	return "http://" + address
}

// Behind nginx as it is installed, an event comes before the first answer that nginx
// replaces by a 502, and the settings that the event names make room.
func TestE2CookiesBehindNginx(t *testing.T) {
	if testing.Short() {
		t.Skip("starts nginx")
	}
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	var told atomic.Bool
	serve := func(parts int) string {
		sessions, err := core.New(core.ClientSide(sealed.Cookie(keys)), core.Config{
			InsecureAllowHTTP: true, Cookie: core.Cookie{MaxParts: parts},
			Observer: func(_ context.Context, e core.Event) {
				if e.Kind == core.EventLargeCookie {
					told.Store(true)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(httpadapter.Middleware(sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := httpadapter.Session(r)
			if size, err := strconv.Atoi(r.FormValue("size")); err == nil {
				s.Set("k", strings.Repeat("x", size))
			}
			v, _ := core.Get[string](s, "k")
			_, _ = fmt.Fprint(w, len(v))
		})))
		t.Cleanup(server.Close)
		return server.URL
	}
	store := func(address string, size int) (status int) {
		jar, _ := cookiejar.New(nil) // without options it never fails
		client := &http.Client{Jar: jar, Timeout: 10 * time.Second}
		for _, query := range []string{"?size=" + strconv.Itoa(size), ""} {
			status = statusOf(t, client, address+"/"+query)
			if status != http.StatusOK {
				return status
			}
		}
		return status
	}
	one := serve(0)
	stock := startNginx(t, one, "")
	size := 1000
	for ; store(stock, size) == http.StatusOK; size += 25 {
		if size > 3500 {
			t.Fatal("nginx lets every cookie pass: the test shows nothing")
		}
	}
	t.Logf("stock nginx refuses a session of %d bytes", size)
	if !told.Load() {
		t.Error("no event came before the first 502")
	}
	if status := store(startNginx(t, one, "proxy_buffer_size 8k;"), size); status != http.StatusOK {
		t.Errorf("with proxy_buffer_size 8k: %d", status)
	}
	split := "proxy_buffer_size 16k; proxy_buffers 4 16k; proxy_busy_buffers_size 16k;"
	if status := store(startNginx(t, serve(2), split), 4500); status != http.StatusOK {
		t.Errorf("a session in two cookies: %d", status)
	}
}

func statusOf(t *testing.T, client *http.Client, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
