package redistest

import (
	"crypto/tls"
	"strconv"
	"strings"
)

// MustDo is [Server.Do] for commands that must succeed: an error fails the test.
func (s *Server) MustDo(args ...string) any {
	s.tb.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		s.tb.Fatalf("redis: %s: %v", strings.Join(args, " "), err)
	}
	return reply
}

// Strings is MustDo for commands that answer with a list of strings, such as
// KEYS.
func (s *Server) Strings(args ...string) []string {
	s.tb.Helper()
	parts, ok := s.MustDo(args...).([]any)
	if !ok {
		s.tb.Fatalf("redis: %s: not a list", strings.Join(args, " "))
	}
	list := make([]string, len(parts))
	for i, p := range parts {
		if list[i], ok = p.(string); !ok {
			s.tb.Fatalf("redis: %s: %v is not a string", strings.Join(args, " "), p)
		}
	}
	return list
}

// Content returns everything stored under key, a string or a hash, unchanged, or "" if
// nothing is.
// DUMP may compress it, so that a search finds nothing.
func (s *Server) Content(key string) string {
	s.tb.Helper()
	switch kind := s.MustDo("TYPE", key); kind {
	case "string":
		text, _ := s.MustDo("GET", key).(string)
		return text
	case "hash":
		return strings.Join(s.Strings("HGETALL", key), "\n")
	case "none":
		return ""
	default:
		s.tb.Fatalf("redis: %s is a %v", key, kind)
		return ""
	}
}

// Role returns "master", the state of a replica's link ("connected" if it is in step), or ""
// if there is no answer: a server that changes its role drops its clients.
func (s *Server) Role() string {
	answer, _ := s.Do("ROLE")
	list, _ := answer.([]any)
	role := ""
	if len(list) > 3 {
		role, _ = list[3].(string)
	} else if len(list) > 0 {
		role, _ = list[0].(string)
	}
	return role
}

// Info returns one field of INFO, "" if there is none.
func (s *Server) Info(field string) string {
	s.tb.Helper()
	text, _ := s.MustDo("INFO", "everything").(string)
	return lineValue(text, field)
}

// KeyBytes returns the sum of MEMORY USAGE of all keys. It asks in steps, because there
// may be millions.
func (s *Server) KeyBytes() int64 {
	s.tb.Helper()
	const step = `
local answer, sum = redis.call('SCAN', ARGV[1], 'COUNT', 20000), 0
for _, key in ipairs(answer[2]) do
  sum = sum + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0)
end
return {answer[1], sum}`
	var total int64
	for cursor := "0"; ; {
		answer, _ := s.MustDo("EVAL", step, "0", cursor).([]any)
		if len(answer) != 2 {
			s.tb.Fatalf("redistest: MEMORY USAGE of keys: %v", answer)
		}
		cursor = answer[0].(string)
		total += answer[1].(int64)
		if cursor == "0" {
			return total
		}
	}
}

// AwaitReplica waits until replica, which follows s, has everything that s has
// now. The command WAIT would not do: it covers only its own connection's writes.
func (s *Server) AwaitReplica(replica *Server) {
	s.tb.Helper()
	offset, err := strconv.Atoi(s.Info("master_repl_offset"))
	if err != nil {
		s.tb.Fatalf("redistest: the offset of a master: %v", err)
	}
	until(s.tb, "the replica is in step", func() bool {
		has, err := strconv.Atoi(replica.Info("slave_repl_offset"))
		return err == nil && has >= offset && replica.Info("master_link_status") == "up"
	})
}

// TLSConfig returns what a client needs to trust a server started with [TLS], nil
// for one without.
func (s *Server) TLSConfig() *tls.Config {
	if s.identity == nil {
		return nil
	}
	return s.identity.config.Clone()
}

// CAFile returns the path of the certificate, in PEM, that signs a server started
// with [TLS]; "" for one without.
func (s *Server) CAFile() string {
	if s.identity == nil {
		return ""
	}
	return s.identity.cert
}

// lineValue finds "name:value" in the lines of text.
func lineValue(text, name string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if value, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), name+":"); ok {
			return value
		}
	}
	return ""
}
