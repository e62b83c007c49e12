package doctor

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// redis looks at every master.
func (x *examination) redis(ctx context.Context) {
	r := x.t.Redis
	err := r.OnMasters(ctx, func(ctx context.Context, c *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := c.Ping(ctx).Err(); err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
			return err
		}
		x.info(ctx, c)
		x.permissions(ctx, c)
		if server, err := c.Time(ctx).Result(); err == nil { // else the user may not ask
			x.clock(server)
		}
		return nil
	})
	if err != nil {
		return // Check has said so
	}
	x.keys(ctx)
}

// info looks at what the server says of itself.
func (x *examination) info(ctx context.Context, c *redis.Client) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		x.warn("info", "INFO may not be asked: memory, eviction and persistence are not checked: ACL SETUSER … +info")
		return
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[key] = value
	}
	at := ""
	if info["redis_mode"] == "cluster" {
		at = "node " + info["tcp_port"] + ": "
	}
	x.good("server", "%sRedis %s, %s, a %s", at, info["redis_version"], info["redis_mode"], strings.Replace(info["role"], "slave", "replica", 1))
	x.memory(at, info)
	if info["rdb_last_bgsave_status"] == "err" || info["aof_last_write_status"] == "err" {
		x.bad("persistence", "%sthe server could not write to its disk, and then refuses every write: make room, or switch snapshots off: CONFIG SET save \"\"", at)
	}
	if info["loading"] == "1" {
		x.bad("persistence", "%sthe server is still loading its data", at)
	}
}

func (x *examination) memory(at string, info map[string]string) {
	policy := info["maxmemory_policy"]
	most, _ := strconv.ParseFloat(info["maxmemory"], 64)
	used, _ := strconv.ParseFloat(info["used_memory"], 64)
	switch {
	case policy != "noeviction" && most > 0:
		x.bad("eviction", "%smaxmemory-policy is %s: when memory is full, users are logged out at random: CONFIG SET maxmemory-policy noeviction", at, policy)
	case policy != "noeviction":
		x.warn("eviction", "%smaxmemory-policy is %s: with a maxmemory, users would be logged out at random: CONFIG SET maxmemory-policy noeviction", at, policy)
	default:
		x.good("eviction", "%snothing is evicted", at)
	}
	if n := info["evicted_keys"]; n != "" && n != "0" {
		x.warn("eviction", "%s%s keys have been evicted since the server started: if they were sessions, users were logged out", at, n)
	}
	switch {
	case most == 0:
		x.warn("memory", "%sthere is no maxmemory: the system may end the server when memory is full: CONFIG SET maxmemory to what it may use", at)
	case used > 0.95*most:
		x.bad("memory", "%sthe memory is full (%.0f%% of maxmemory): new sessions and changes get 503: raise maxmemory", at, 100*used/most)
	case used > 0.7*most:
		x.warn("memory", "%s%.0f%% of maxmemory are used: raise it", at, 100*used/most)
	default:
		x.good("memory", "%s%.0f%% of maxmemory are used", at, 100*used/most)
	}
}

// right is a permission of docs/operations.md, and a command that shows it and changes
// nothing: without the permission, the server says NOPERM before it looks further.
type right struct {
	name    string
	needed  bool
	command []any
	without string
}

func rights(key, channel string) []right {
	all := []right{
		{"ping", true, []any{"ping"}, ""},
		{"scan", false, []any{"scan", 0, "match", key, "count", 1}, "this program cannot count, and a lost index is not mended"},
		{"unlink", false, []any{"unlink", key}, "not all sessions can be ended at once"},
		{"publish", false, []any{"publish", channel, "doctor"}, "streams learn of an end only after some seconds"},
		{"subscribe", false, nil, "streams learn of an end only after some seconds"},
	}
	const needed = "getex KEY, set KEY v XX, getrange KEY 0 0, setrange KEY 0 , del KEY, exists KEY, pexpire KEY 1000, pttl KEY, hget KEY f, " +
		"hrandfield KEY, hset KEY f v odd, hdel KEY f, hlen KEY, hgetall KEY, hincrby KEY f no-number, eval return(1) 0, evalsha none 0"
	for line := range strings.SplitSeq(needed, ", ") {
		var command []any
		for word := range strings.SplitSeq(line, " ") {
			if word == "KEY" {
				word = key
			}
			command = append(command, word)
		}
		all = append(all, right{command[0].(string), true, command, ""})
	}
	return all
}

// permissions tries what the user may do.
func (x *examination) permissions(ctx context.Context, c *redis.Client) {
	key, channel := x.t.Prefix+"doctor", x.t.Prefix+"ended"
	var missing []string
	keys := false
	for _, r := range rights(key, channel) {
		var err error
		if r.command == nil {
			sub := c.Subscribe(ctx, channel)
			_, err = sub.Receive(ctx)
			_ = sub.Close()
		} else {
			err = c.Do(ctx, r.command...).Err()
		}
		switch {
		case err == nil || !redis.HasErrorPrefix(err, "NOPERM"):
		case strings.Contains(err.Error(), "key"):
			keys = true
		case r.needed:
			missing = append(missing, "+"+r.name)
		default:
			rule := "+" + r.name
			if strings.Contains("publish subscribe", r.name) {
				rule += " &" + channel
			}
			x.warn("acl", "the user may not %s: %s: ACL SETUSER … %s", strings.ToUpper(r.name), r.without, rule)
		}
	}
	switch {
	case len(missing) > 0:
		x.bad("acl", "the user lacks commands that sessions need: ACL SETUSER … %s", strings.Join(missing, " "))
	case keys:
		x.bad("acl", "the user may not use the keys %s*: ACL SETUSER … ~%s*", x.t.Prefix, x.t.Prefix)
	default:
		x.good("acl", "the user may do what sessions need")
	}
}

// keys samples the keys under the prefix.
func (x *examination) keys(ctx context.Context) {
	r := x.t.Redis
	var seen, forever, foreign int
	var example string
	err := r.Scan(ctx, r.Escaped()+"*", func(c *redis.Client, keys []string) error {
		keys = keys[:min(len(keys), sampleSize-seen)]
		ttls := make([]*redis.DurationCmd, len(keys))
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range keys {
				ttls[i] = p.PTTL(ctx, key)
			}
			return nil
		})
		for i, key := range keys {
			seen++
			_, session := r.IDOf(key)
			switch {
			case !session && !strings.HasPrefix(key, r.Prefix+"u:"):
				foreign++
				example = key
			case ttls[i].Val() == -1:
				forever++
			}
		}
		if err == nil && seen >= sampleSize {
			err = target.ErrEnough
		}
		return err
	})
	if err != nil && !errors.Is(err, target.ErrEnough) {
		return // without SCAN; acl says so
	}
	if forever > 0 {
		x.bad("expiry", "%d of %d keys have no time to live, and stay for ever: something else writes sessions, or PERSIST was run", forever, seen)
	}
	if foreign > 0 {
		x.bad("prefix", "%d of %d keys under %s are not ours, such as %.60q: is this the right prefix? Each application wants one that no other begins with", foreign, seen, r.Prefix, example)
	}
	if forever+foreign == 0 {
		x.good("prefix", "%s: all are ours and expire", target.Plural(seen, "sampled key"))
	}
}
