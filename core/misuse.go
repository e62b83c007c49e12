package core

import "fmt"

// writable notes that the handler wants to write, and reports whether the session
// takes the change. Superseded and read-only sessions take changes and drop them at
// the commit, with one event.
func (s *Session) writable(what, key string) bool {
	s.used = true
	viewed := s.background && s.phase == phaseReadOnly
	if !s.over && !viewed {
		return true
	}
	if key != "" {
		what = fmt.Sprintf("%s %q", what, shorten(key, maxShown))
	}
	if viewed {
		s.misuse(ErrReadOnly, ReasonReadOnly, what)
	} else {
		s.tooLate(ReasonAfterwards, what)
	}
	return false
}

// tooLate reports a change that comes too late to be kept.
func (s *Session) tooLate(reason Reason, what string) { s.misuse(ErrTooLate, reason, what) }

// misuse reports a change that cannot be kept: to observers by an event, to the
// handler by Err, and in strict mode by a panic.
func (s *Session) misuse(sentinel error, reason Reason, what string) {
	err := fmt.Errorf("core: %s: %w: %s", what, sentinel, remedy(reason))
	if r := s.seldom(); r.late == nil {
		r.late = err
	}
	s.emit(Event{Kind: EventTooLate, Reason: reason, Detail: what, Err: err})
	if s.m.config.Strict {
		s.strict(err)
	}
}

// remedy says how a developer avoids a mistake.
func remedy(reason Reason) string {
	switch reason {
	case ReasonAfterwards:
		return "use the session before the handler returns, or later with Manager.Update and its ID"
	case ReasonReadOnly:
		return "use Manager.Update to write"
	}
	return "use the session before the first byte of the response"
}

// strict passes a mistake to Config.OnMistake, or else panics.
func (s *Session) strict(err error) {
	if s.m.config.OnMistake == nil {
		panic(fmt.Sprintf("satchel: strict mode: %v", err))
	}
	s.m.config.OnMistake(err)
}
