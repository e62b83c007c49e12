package core

import "fmt"

// writable notes that the handler wants to write, and reports whether it
// still makes sense to take the change. Superseded and read-only sessions take it and drop
// it at the commit, with one event.
func (s *Session) writable(what, key string) bool {
	s.used = true
	viewed := s.outside && s.phase == phaseReadOnly
	if !s.over && !viewed {
		return true
	}
	if key != "" {
		what = fmt.Sprintf("%s %q", what, shorten(key, maxShown))
	}
	if viewed {
		s.mistake(ErrReadOnly, ReasonReadOnly, what)
	} else {
		s.tooLate(ReasonAfterwards, what)
	}
	return false
}

// tooLate reports a change that comes too late to be kept.
func (s *Session) tooLate(reason Reason, what string) { s.mistake(ErrTooLate, reason, what) }

// mistake reports a change that cannot be kept: to the developer by event and
// log, to the handler by Err, and in strict mode by a panic.
func (s *Session) mistake(sentinel error, reason Reason, what string) {
	err := fmt.Errorf("core: %s: %w: %s", what, sentinel, remedy(reason))
	if s.late == nil {
		s.late = err
	}
	s.tell(Event{Kind: EventTooLate, Reason: reason, Detail: what, Err: err})
	if s.m.config.Strict {
		s.strict(err)
	}
}

// remedy says what a developer is to do about a mistake.
func remedy(reason Reason) string {
	switch reason {
	case ReasonAfterwards:
		return "use the session before the handler returns, or later with Manager.Update and its ID"
	case ReasonReadOnly:
		return "use Manager.Update to write"
	}
	return "use the session before the first byte of the response"
}

// strict makes a mistake loud.
func (s *Session) strict(err error) {
	if s.m.config.OnMistake == nil {
		panic(fmt.Sprintf("satchel: strict mode: %v", err))
	}
	s.m.config.OnMistake(err)
}
