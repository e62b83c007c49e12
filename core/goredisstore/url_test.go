package goredisstore

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestURL(t *testing.T) {
	for url, want := range map[string]redis.UniversalOptions{
		"redis://localhost":                           {Addrs: []string{"localhost:6379"}},
		"redis://localhost/":                          {Addrs: []string{"localhost:6379"}},
		"redis://10.0.0.1:7000/3":                     {Addrs: []string{"10.0.0.1:7000"}, DB: 3},
		"redis://[::1]:7000":                          {Addrs: []string{"[::1]:7000"}},
		"redis://:p%40ss%2Fw%3A@host":                 {Addrs: []string{"host:6379"}, Password: "p@ss/w:"},
		"redis://app:pa:ss@host":                      {Addrs: []string{"host:6379"}, Username: "app", Password: "pa:ss"},
		"redis-cluster://a,b:7001,c":                  {Addrs: []string{"a:6379", "b:7001", "c:6379"}},
		"redis-cluster://:pw@a,b/0":                   {Addrs: []string{"a:6379", "b:6379"}, Password: "pw"},
		"redis-sentinel://a,b:1/main":                 {Addrs: []string{"a:26379", "b:1"}, MasterName: "main"},
		"redis-sentinel://u:p@a/main/2":               {Addrs: []string{"a:26379"}, MasterName: "main", DB: 2, Username: "u", Password: "p"},
		"redis-sentinel://a/m?sentinel_password=x%26": {Addrs: []string{"a:26379"}, MasterName: "m", SentinelPassword: "x&"},
	} {
		got, _, err := parseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		same := strings.Join(got.Addrs, " ") == strings.Join(want.Addrs, " ") && got.DB == want.DB && got.Username == want.Username &&
			got.Password == want.Password && got.MasterName == want.MasterName && got.SentinelPassword == want.SentinelPassword
		if !same || got.TLSConfig != nil {
			t.Errorf("%s: %+v", url, got)
		}
		secure, _, err := parseURL(strings.Replace(url, "redis", "rediss", 1))
		if err != nil || secure.TLSConfig == nil || secure.TLSConfig.InsecureSkipVerify {
			t.Errorf("%s with TLS: %+v, %v", url, secure, err)
		}
	}
}

func TestURLThatMakesNoSense(t *testing.T) {
	for url, want := range map[string]string{
		"":                          "want a URL that begins with",
		"localhost:6379":            "want a URL that begins with",
		"redis:localhost":           "want a URL that begins with",
		"http://u:hunter2@host":     "want a URL that begins with",
		"redissentinel://a/b":       "want a URL that begins with",
		"redis://":                  "missing host",
		"redis://u:hunter2@":        "missing host",
		"redis://u:hunter2/x@host":  "missing host",
		"redis://host:0":            "a port is a number from 1 to 65535",
		"redis://host:99999":        "a port is a number from 1 to 65535",
		"redis://host:hunter2":      "missing host",
		"redis://a,b":               "several hosts need redis-cluster://",
		"redis://host/-1":           "number of a database",
		"redis://host/0/1":          "number of a database",
		"redis://host?db=1":         "unknown parameter",
		"redis://u:1?hunter2@host":  "unknown parameter",
		"redis://host?%zz":          "malformed parameters",
		"redis://u%zz:hunter2@host": "malformed user name or password",
		"redis://user@host":         "a user name without a password",
		"redis://:a#hunter2@host":   "in a password it is written %23",
		"redis-cluster://a,,b":      "missing host",
		"redis-cluster://a/1":       "a cluster has no databases but 0",
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
