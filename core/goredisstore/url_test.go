package goredisstore

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestURL(t *testing.T) {
	for url, want := range map[string]redis.UniversalOptions{
		"redis://localhost":                                            {Addrs: []string{"localhost:6379"}},
		"redis://localhost/":                                           {Addrs: []string{"localhost:6379"}},
		"redis://10.0.0.1:7000/3":                                      {Addrs: []string{"10.0.0.1:7000"}, DB: 3},
		"redis://[::1]:7000":                                           {Addrs: []string{"[::1]:7000"}},
		"redis://:p%40ss%2Fw%3A@host":                                  {Addrs: []string{"host:6379"}, Password: "p@ss/w:"},
		"redis://app:pa:ss@host":                                       {Addrs: []string{"host:6379"}, Username: "app", Password: "pa:ss"},
		"redis-cluster://a,b:7001,c":                                   {Addrs: []string{"a:6379", "b:7001", "c:6379"}},
		"redis-cluster://:pw@a,b/0":                                    {Addrs: []string{"a:6379", "b:6379"}, Password: "pw"},
		"redis-sentinel://a,b:1/main":                                  {Addrs: []string{"a:26379", "b:1"}, MasterName: "main"},
		"redis-sentinel://u:p@a/main/2":                                {Addrs: []string{"a:26379"}, MasterName: "main", DB: 2, Username: "u", Password: "p"},
		"redis-sentinel://a/m?sentinel_password=x%26":                  {Addrs: []string{"a:26379"}, MasterName: "m", SentinelPassword: "x&"},
		"redis-sentinel://a/m?sentinel_username=s&sentinel_password=x": {Addrs: []string{"a:26379"}, MasterName: "m", SentinelUsername: "s", SentinelPassword: "x"},
		"redis://app:p@ss@host":                                        {Addrs: []string{"host:6379"}, Username: "app", Password: "p@ss"},
		" redis://host\n":                                              {Addrs: []string{"host:6379"}},
	} {
		got, _, err := parseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		same := strings.Join(got.Addrs, " ") == strings.Join(want.Addrs, " ") && got.DB == want.DB && got.Username == want.Username &&
			got.Password == want.Password && got.MasterName == want.MasterName && got.SentinelPassword == want.SentinelPassword && got.SentinelUsername == want.SentinelUsername
		if !same || got.TLSConfig != nil {
			t.Errorf("%s: %+v", url, got)
		}
		secure, _, err := parseURL(strings.Replace(url, "redis", "rediss", 1))
		if err != nil || secure.TLSConfig == nil || secure.TLSConfig.InsecureSkipVerify || secure.TLSConfig.MinVersion < tls.VersionTLS12 {
			t.Errorf("%s with TLS: %+v, %v", url, secure, err)
		}
	}
}

func TestURLOfASocket(t *testing.T) {
	for url, want := range map[string]redis.Options{
		"unix:///run/redis.sock":              {Addr: "/run/redis.sock"},
		"unix://:p%40ss@/run/redis.sock?db=2": {Addr: "/run/redis.sock", Password: "p@ss", DB: 2},
		"unix://app:pw@/run/redis.sock":       {Addr: "/run/redis.sock", Username: "app", Password: "pw"},
	} {
		client, err := NewClient(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := client.(*redis.Client).Options()
		if got.Network != "unix" || got.Addr != want.Addr || got.Username != want.Username || got.Password != want.Password || got.DB != want.DB || !got.ContextTimeoutEnabled {
			t.Errorf("%s: %+v", url, got)
		}
		_ = client.Close()
	}
}

func TestURLThatMakesNoSense(t *testing.T) {
	for url, want := range map[string]string{
		"":                          "the URL is empty",
		"localhost:6379":            "want a URL that begins with",
		"redis:localhost":           "want a URL that begins with",
		"http://u:hunter2@host":     "want a URL that begins with",
		"redissentinel://a/b":       "want a URL that begins with",
		"redis://":                  "missing host",
		"redis://u:hunter2@":        "missing host",
		"redis://u:hunter2/x@host":  "missing host",
		"redis://host:0":            "a port must be a number from 1 to 65535",
		"redis://host:99999":        "a port must be a number from 1 to 65535",
		"redis://host:hunter2":      "missing host",
		"redis://a,b":               "several hosts need redis-cluster://",
		"redis://host/-1":           "number of a database",
		"redis://host/0/1":          "number of a database",
		"redis://host?db=1":         "unknown parameter",
		"redis://u:1?hunter2@host":  "unknown parameter",
		"redis://host?%zz":          "malformed parameters",
		"redis://u%zz:hunter2@host": "malformed user name or password",
		"redis://user@host":         "a user name without a password",
		"redis://:a#hunter2@host":   "in a password, write it as %23",
		"\"redis://host\"":          "quotation marks",
		"'redis://u:hunter2@host'":  "quotation marks",
		"redis://u:hunter2@host\"":  "quotation marks",
		"redis-sentinel://a/m'":     "quotation marks",
		"redis://::1":               "missing host",
		"unix://":                   "absolute path of a socket",
		"unix://run/redis.sock":     "absolute path of a socket",
		"unix://u:hunter2@x/r.sock": "absolute path of a socket",
		"unix:///r.sock?db=x":       "number of a database",
		"unix:///r.sock?hunter2=1":  "unknown parameter",
		"redis-cluster://a,,b":      "missing host",
		"redis-cluster://a/1":       "a cluster has only database 0",
		"redis-sentinel://a":        "the name of the master",
		"redis-sentinel://a/":       "the name of the master",
	} {
		_, err := NewClient(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v; want %q", url, err, want)
		}
		if _, openErr := Open(url, Config{}); openErr == nil {
			t.Errorf("Open(%q) succeeds", url)
		}
	}
}

// The clients are of the kind that the URL names, and suit sessions.
func TestURLMakesClient(t *testing.T) {
	suits := func(url string, deadlines bool, dial time.Duration) {
		t.Helper()
		if !deadlines || dial != time.Second {
			t.Errorf("%s: obeys deadlines: %v, connects for %v", url, deadlines, dial)
		}
	}
	for _, url := range []string{"redis://a", "redis-cluster://a", "redis-sentinel://a/m"} {
		client, err := NewClient(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		_, kind, _ := parseURL(url)
		switch c := client.(type) {
		case *redis.ClusterClient:
			suits(url, c.Options().ContextTimeoutEnabled, c.Options().DialTimeout)
			if kind != "-cluster" {
				t.Errorf("%s: a client of a cluster", url)
			}
		case *redis.Client:
			suits(url, c.Options().ContextTimeoutEnabled, c.Options().DialTimeout)
			if sentinel := c.Options().Addr == "FailoverClient"; sentinel != (kind == "-sentinel") || kind == "-cluster" {
				t.Errorf("%s: a client of %s", url, c.Options().Addr)
			}
		default:
			t.Errorf("%s: %T", url, client)
		}
	}
}

// As a Sentinel with requirepass answers a client without a password.
func TestStartWithoutThePasswordOfTheSentinels(t *testing.T) {
	if advice := diagnose(errors.New(noSentinel+": NOAUTH Authentication required."), ""); !strings.Contains(advice, "sentinel_password") {
		t.Error(advice)
	}
}
