package core

// Load, Commit and Finish do what an adapter does in a request.

func (m *Manager) Load(ex Exchange) (*Session, error) {
	c := new(Slot)
	err := c.Load(m, ex)
	return c.Session(), err
}

func (m *Manager) Commit(_ Exchange, s *Session, status int) error { return s.slot.Commit(status) }

func (m *Manager) Finish(s *Session) { s.slot.Finish() }

func (s *Session) HoldBody(status int) int { return s.slot.HoldBody(status) }
