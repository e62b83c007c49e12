package goredisstore

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what a bounded parser may allocate for any input: its result and an
// error.
const slack = 2 << 10

// FuzzSEC46Members: parsing a script's answer keeps only members that mean exactly
// what their text says.
func FuzzSEC46Members(f *testing.F) {
	id := core.ID{1, 2, 3}.String()
	for _, flat := range []string{
		"", "|7", id + "|1 0 -1", id + "|3 1900000000123 1900000000456|" + core.ID{4}.String() + "|2 0 -2", id, id + "|1 2", id + "|1 2 3 4",
		id + "|01 +2 -0", id + "|9223372036854775808 0 0", id + "=|1 0 0", "|" + id + "|1 0 0", id + "| 1 0 0", id + "|1  0 0", id + "|-9223372036854775808 -1 1_0",
	} {
		f.Add(flat)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		flat := strings.Split(answer, "|")
		var members []member
		alloctest.Bound(t, 256*len(flat)+2*len(answer)+slack, func() { members = parseMembers(flat) })
		if len(members) > len(flat)/2 {
			t.Fatalf("%d members of %d texts", len(members), len(flat))
		}
		for _, m := range members {
			i := slices.Index(flat, m.text)
			if m.id.IsZero() || i < 0 {
				t.Errorf("%q is not in the answer", m.text)
				continue
			}
			numbers := make([]int64, 0, 3)
			for field := range strings.SplitSeq(m.text, " ") {
				n, err := strconv.ParseInt(field, 10, 64)
				if err != nil {
					t.Errorf("%q is taken for a member", m.text)
				}
				numbers = append(numbers, n)
			}
			if !slices.Equal(numbers, []int64{m.number, m.lapses.UnixMilli(), m.till}) {
				t.Errorf("%q is read as %v", m.text, m)
			}
			_ = m.over(time.UnixMilli(1_900_000_000_123))
		}
	})
}

// FuzzSEC46SEC67URL: a URL gives options that make sense, or an error that shows
// nothing that precedes the host.
func FuzzSEC46SEC67URL(f *testing.F) {
	for _, url := range []string{
		"redis://localhost", "redis://:p%40ss%2Fw%3A@host:1/3", "redis-cluster://a,b:7001,[::1]", "rediss-sentinel://u:p@a,b:1/main/2?sentinel_password=x%26",
		"redis://user:12?hunter2@host", "redis://user:12?hun@ter2=1@host", "redis://u:hunter2/x@host", "redis://:a#hunter2@host", "redis://a@b@c", "rediss://%00@host",
		"redis://host:1:2", "redis://[::1", "redis://host/99999999999999999999", "redis://host?sentinel_username=x", "redis-sentinel://a/m?%zz", "redis://\xff", "redisss://a",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		var err error
		alloctest.Bound(t, 64*len(url)+32<<10, func() { _, _, err = parseURL(url) })
		if err != nil {
			wantNoSecret(t, url, err)
			return
		}
		options, kind, _ := parseURL(url)
		for _, addr := range options.Addrs {
			host, port, err := net.SplitHostPort(addr)
			n, bad := strconv.ParseUint(port, 10, 16)
			if err != nil || bad != nil || n == 0 || host == "" || strings.ContainsAny(host, "@/?#,") {
				t.Errorf("%q: the address %q", url, addr)
			}
		}
		secure := strings.HasPrefix(url, "rediss")
		if len(options.Addrs) == 0 || kind == "" && len(options.Addrs) > 1 || options.DB < 0 || (options.TLSConfig != nil) != secure ||
			(kind == "-sentinel") != (options.MasterName != "") || options.Username != "" && options.Password == "" {
			t.Errorf("%q is read as %+v", url, options)
		}
	})
}

// wantNoSecret checks that an error shows no words from before the last @, where
// passwords are.
func wantNoSecret(t *testing.T, url string, err error) {
	_, rest, _ := strings.Cut(url, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return
	}
	words := strings.FieldsFunc(rest[:at], func(r rune) bool { return strings.ContainsRune(":/?#@&=,;", r) })
	for _, word := range words {
		known := "redis-cluster:// redis-sentinel://host:26379/mymaster rediss a user name without a password; special characters are written as %XX :password@host " +
			"sentinel_username sentinel_password use or write in a password ? as %3F malformed or missing parameters path unexpected unknown parameter several hosts need want URL that begins with for TLS " +
			"must follow the sentinels name of master: is be number database cluster has only database 0 port from 1 to 65535 in it %23 alone"
		if len(word) >= 4 && strings.Contains(err.Error(), word) && !strings.Contains(known, word) {
			t.Errorf("%q: the error shows %q: %v", url, word, err)
		}
	}
}

// FuzzSEC46Info: whatever INFO contains, the check at the start is bounded and
// refuses no more than necessary.
func FuzzSEC46Info(f *testing.F) {
	for _, text := range []string{
		"# Server\r\nredis_version:7.2.4\r\nrole:master\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n", "redis_version:5.0.14", "redis_version:6", "redis_version:",
		"redis_version:7.x", "redis_version:-1.-1", "role:slave", "maxmemory:100\nmaxmemory_policy:allkeys-lru", "::::", "\xff:\x00\r\r\n", "role:slave\nrole:master",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var info map[string]string
		var err error
		alloctest.Bound(t, 512*(strings.Count(text, "\n")+1)+slack, func() {
			info = parseInfo(text)
			err = new(Store).checkInfo(info)
		})
		if len(info) > strings.Count(text, ":") {
			t.Errorf("%d settings in %q", len(info), text)
		}
		if err != nil && !strings.Contains(text, "redis_version:") && !strings.Contains(text, "role") && !strings.Contains(text, "maxmemory_policy") {
			t.Errorf("%q is refused: %v", text, err)
		}
	})
}
