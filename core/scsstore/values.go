package scsstore

import (
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

const (
	// purposeSession is the purpose of sessions, which is all that scs knows.
	purposeSession = "session"

	// rememberKey is the key of scs's RememberMe.
	rememberKey = "__rememberMe"

	// leftKey is the only key of a session that has moved away. It holds a header that says
	// who it was.
	leftKey = inplace.HeaderKey + "_left"

	// outward marks, in the header, a flash that is among scs's values: its key is in place
	// of its kind, and a checksum in place of its text.
	outward = "\x00scs\x00"

	// noDeadline is how far away the deadline of a session without one is, from its last
	// save: scs knows no session without.
	noDeadline = 400 * 24 * time.Hour
)

// isReserved reports whether a value of Satchel's with this key must be in the header,
// because scs's values have something else there.
func (s *store) isReserved(key string) bool {
	return key == inplace.HeaderKey || key == leftKey || key == rememberKey || key == s.config.UserKey && key != "" || slices.Contains(s.flashKeys, key)
}

// read turns e's values into its record.
func (s *store) read(scope core.Scope, e *entry) error {
	if _, ok := e.values[leftKey]; ok {
		if len(e.values) == 1 {
			return errAbsent
		}
		delete(e.values, leftKey) // scs has begun a session under the token
	}
	head, err := s.head(scope, e)
	if err != nil {
		return err
	}
	raws, before := map[string][]byte{}, map[string]inplace.Original{}
	for key, raw := range head.Values() {
		if s.isReserved(key) {
			raws[key] = raw
		}
	}
	for key, native := range e.values {
		if key == inplace.HeaderKey || key == rememberKey {
			continue
		}
		before[key] = inplace.Original{Native: native}
		if s.isReserved(key) {
			if text, isText := native.(string); key != s.config.UserKey && (!isText || text == "") {
				e.keep(key, native)
			}
			continue
		}
		raw, ok := s.values.FromNative(native)
		if !ok {
			e.keep(key, native)
			continue
		}
		raws[key], before[key] = raw, inplace.Original{Native: native, Raw: raw}
	}
	e.Record = head.WithContent(inplace.Sorted(raws), slices.Values(s.joinFlashes(head, e.values)))
	e.Record.Attach(before)
	return nil
}

// keep keeps a value that a Record cannot hold.
func (e *entry) keep(key string, native any) {
	if e.others == nil {
		e.others = map[string]any{}
	}
	e.others[key] = native
}

func notOurs(err error) error {
	if errors.Is(err, inplace.ErrNotOurs) {
		return errAbsent
	}
	return err
}

// head returns the record of e without its content.
func (s *store) head(scope core.Scope, e *entry) (*core.Record, error) {
	user, err := s.user(e.values)
	if err != nil {
		return nil, inplace.Fail(label, "load", err)
	}
	now := s.now()
	remembered, _ := e.values[rememberKey].(bool)
	header, ours := e.values[inplace.HeaderKey]
	if !ours {
		switch {
		case scope.Namespace != "" || scope.Purpose != purposeSession || scope.Name != s.cookie.Name, !now.Before(e.deadline):
			return nil, errAbsent // scs's sessions carry no scope
		}
		begun := e.deadline.Add(-s.lifetime)
		if begun.After(now) { // an application can set deadlines
			begun = s.started
		}
		e.Adopted = true
		r := &core.Record{ID: idOf(e.ID), User: user, CreatedAt: begun, SavedAt: begun, Deadline: e.deadline, Remembered: s.cookie.Persist || remembered}
		s.arrive(r, now)
		return r, nil
	}
	r, err := inplace.ParseNamed(scope, header)
	if err != nil {
		return nil, notOurs(err)
	}
	if s.config.UserKey != "" && r.User != user { // scs has logged somebody in, or out
		r.User, r.AuthenticatedAt = user, time.Time{}
	}
	if !s.cookie.Persist {
		r.Remembered = remembered
	}
	renewed := deadlineOf(r).UnixMilli() != e.deadline.UnixMilli()
	if renewed {
		r.Deadline = e.deadline
		r.KeepTimes()
	}
	if !now.Before(r.KeepUntil()) { // only scs can have used it since: else the store would have dropped it
		s.arrive(r, now)
		e.Adopted = true
	}
	return r, nil
}

// arrive sets when r ends that scs has used last: nobody knows when that was, but the
// store keeps it no longer than this.
func (s *store) arrive(r *core.Record, now time.Time) {
	r.Expires = r.Deadline
	if end := now.Add(s.idle); s.idle > 0 && (r.Deadline.IsZero() || end.Before(r.Deadline)) {
		r.Expires = end
	}
	r.KeepTimes()
}

// deadlineOf returns the deadline of r for scs.
func deadlineOf(r *core.Record) time.Time {
	if r.Deadline.IsZero() {
		return r.SavedAt.Add(noDeadline)
	}
	return r.Deadline
}

// idOf returns an ID for the session that scs keeps under key.
func idOf(key string) core.ID {
	hash := sha256.Sum256([]byte("satchel scs session\x00" + key))
	return core.ID(hash[:16])
}

// user returns who is logged in.
func (s *store) user(values map[string]any) (string, error) {
	native, ok := values[s.config.UserKey]
	if s.config.UserKey == "" || !ok || native == nil || reflect.ValueOf(native).IsZero() {
		return "", nil
	}
	user, err := userText(native)
	if err != nil {
		return "", fmt.Errorf("the value of Config.UserKey, %q, is a %T: give it to Satchel as a string or an integer", s.config.UserKey, native)
	}
	back, err := s.userValue(user)
	if err != nil || !reflect.DeepEqual(back, native) {
		return "", fmt.Errorf("the value of Config.UserKey, %q, is a %T, which Config.UserValue does not give back", s.config.UserKey, native)
	}
	return user, nil
}

func userText(native any) (string, error) {
	if text, ok := native.(encoding.TextMarshaler); ok {
		b, err := text.MarshalText()
		return string(b), err
	}
	switch v := reflect.ValueOf(native); {
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53: // an integer in JSON
		return strconv.FormatInt(int64(v.Float()), 10), nil
	}
	return "", errors.ErrUnsupported
}

func (s *store) userValue(user string) (any, error) {
	if s.config.UserValue == nil {
		return user, nil
	}
	return s.config.UserValue(user)
}

// toSCS returns r as the values of scs, with those that it cannot hold.
func (s *store) toSCS(scope core.Scope, r *core.Record, others map[string]any) (map[string]any, error) {
	before, _ := r.Attachment().(map[string]inplace.Original)
	values := make(map[string]any, 8)
	maps.Copy(values, others)
	reserved := map[string][]byte{}
	for key, raw := range r.Values() {
		if s.isReserved(key) {
			reserved[key] = raw
		} else {
			values[key] = s.values.ToNative(raw, before[key])
		}
	}
	if r.User != "" && s.config.UserKey != "" {
		native := before[s.config.UserKey].Native
		if text, err := userText(native); native == nil || err != nil || text != r.User {
			var err error
			if native, err = s.userValue(r.User); err != nil {
				return nil, inplace.Fail(label, "save", fmt.Errorf("Config.UserValue: %w", inplace.Hide(err, r.User)))
			}
		}
		values[s.config.UserKey] = native
	}
	if r.Remembered && !s.cookie.Persist {
		values[rememberKey] = true
	}
	var rest []core.StoredFlash
	for f := range r.StoredFlashes() {
		if key := s.keyFor(f, values); key != "" {
			values[key] = string(f.Payload)
			f.Kind, f.Payload = outward+key, checksum(f.Payload)
		}
		rest = append(rest, f)
	}
	values[inplace.HeaderKey] = s.header(scope, r.WithContent(maps.All(reserved), slices.Values(rest)))
	return values, nil
}

// keyFor returns the key under which scs finds f, or "" if there is none free.
func (s *store) keyFor(f core.StoredFlash, values map[string]any) string {
	for _, key := range s.flashKeys {
		if _, taken := values[key]; !taken && !f.Typed && len(f.Payload) > 0 && s.config.Flashes[key] == f.Kind {
			return key
		}
	}
	return ""
}

// header returns the header of a session as the store can keep it.
func (s *store) header(scope core.Scope, r *core.Record) any {
	head := inplace.Header(scope, r)
	if s.values.Text {
		return base64.StdEncoding.EncodeToString(head) // like encoding/json
	}
	return head
}

// joinFlashes returns the flashes of head and of scs's values. What scs has popped is
// gone; what it has put there is the newest.
func (s *store) joinFlashes(head *core.Record, values map[string]any) []core.StoredFlash {
	texts := map[string]string{}
	for _, key := range s.flashKeys {
		if text, _ := values[key].(string); text != "" {
			texts[key] = text
		}
	}
	var joined []core.StoredFlash
	for f := range head.StoredFlashes() {
		if key, ok := strings.CutPrefix(f.Kind, outward); ok && !f.Typed {
			text, there := texts[key]
			if !there || string(checksum([]byte(text))) != string(f.Payload) {
				continue
			}
			delete(texts, key)
			f.Kind, f.Payload = s.config.Flashes[key], []byte(text)
		}
		joined = append(joined, f)
	}
	for _, key := range s.flashKeys {
		if text, ok := texts[key]; ok {
			joined = append(joined, core.StoredFlash{Number: -1, Kind: s.config.Flashes[key], Payload: []byte(text)})
		}
	}
	return joined
}

// checksum identifies a text. It needs no more strength, because both are in one session.
func checksum(text []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(text))
}
