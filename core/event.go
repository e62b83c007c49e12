package core

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// EventKind says what happened to a session.
type EventKind string

// The kinds of events, and which of them set Reason, Status and Err.
const (
	EventAbsent        EventKind = "absent"        // a request presented no token; Reason says why
	EventLoaded        EventKind = "loaded"        // a request presented a live session
	EventRejected      EventKind = "rejected"      // a presented token gave no session; Reason says why
	EventCreated       EventKind = "created"       // a new session was stored
	EventSaved         EventKind = "saved"         // changes were stored
	EventTouched       EventKind = "touched"       // the idle expiry was moved
	EventRenewed       EventKind = "renewed"       // the session got a new token
	EventLogin         EventKind = "login"         // the session was bound to a user
	EventLogout        EventKind = "logout"        // the session was ended by a request of its own
	EventRevoked       EventKind = "revoked"       // the session was ended from elsewhere
	EventConflict      EventKind = "conflict"      // changes are being re-applied to a newer record
	EventDropped       EventKind = "dropped"       // changes were dropped; Reason says why
	EventRolledBack    EventKind = "rolled back"   // a 5xx, a panic or Rollback undid uncommitted changes
	EventFlashDropped  EventKind = "flash dropped" // the oldest unread flash made room
	EventTooLate       EventKind = "too late"      // a change came too late to be kept; Reason and Err say why
	EventFailed        EventKind = "failed"        // a commit failed; Err says why
	EventUnavailable   EventKind = "unavailable"   // the backend could not answer; Err says why
	EventAway          EventKind = "away"          // the backend has stopped answering and is asked only now and then; Err says how; see Config.NoFailFast
	EventBack          EventKind = "back"          // it answers again
	EventAborted       EventKind = "aborted"       // the client hung up while its session was being loaded
	EventMoved         EventKind = "moved"         // the session was moved to the new backend of a Migration
	EventInsecure      EventKind = "insecure"      // a Secure cookie, or a header's token, was sent over plain HTTP; emitted once
	EventCookieClash   EventKind = "cookie clash"  // others have set a cookie of the session's name, or its header; Detail says what became of it
	EventMisconfigured EventKind = "misconfigured" // an adapter has found a setting with which sessions cannot work; Detail says what to do
	EventDuplicates    EventKind = "duplicates"    // requests keep presenting two cookies of the session's name; emitted once, and Detail says what to do
	EventLargeCookie   EventKind = "large cookie"  // the session's token may be too large for a proxy or the server; emitted once for each, and Detail says what to set
	EventSweepLags     EventKind = "sweep lags"    // expired sessions are removed more slowly than they come; Detail says what to do
	EventReplaced      EventKind = "replaced"      // an Update replaced a value that could not be read; Err names it and says why
	EventFinished      EventKind = "finished"      // a request is over; Status says how it ended
)

// Reason refines an [Event].
type Reason string

// The reasons of [EventAbsent], [EventRejected], [EventDropped], [EventRevoked]
// and [EventTooLate].
const (
	ReasonMalformed  Reason = "malformed"   // no token has this form
	ReasonDuplicate  Reason = "duplicate"   // two cookies of our name with different values, or two tokens in the header
	ReasonUnknown    Reason = "unknown"     // expired and removed, revoked, tampered with or invented
	ReasonExpired    Reason = "expired"     // the idle timeout or the absolute lifetime has passed; for changes, while the request ran
	ReasonSuperseded Reason = "superseded"  // the token was replaced by Login or Renew
	ReasonNotBefore  Reason = "not before"  // begun before Config.NotBefore or RevokeAll
	ReasonCorrupt    Reason = "corrupt"     // the record could not be read
	ReasonNewer      Reason = "newer"       // the record was written by a newer release
	ReasonCheck      Reason = "check"       // Config.Check ended it
	ReasonEnded      Reason = "ended"       // another request ended or renewed it in the meantime
	ReasonReadOnly   Reason = "read-only"   // the backend was unavailable when it was loaded
	ReasonLimit      Reason = "limit"       // it made room for a newer login
	ReasonNoCookie   Reason = "no cookie"   // the request has none, and no token in the header; for a late change: it needs one
	ReasonPlainHTTP  Reason = "plain HTTP"  // as "no cookie": most browsers do not send a Secure cookie over plain HTTP
	ReasonLateFlash  Reason = "late flash"  // flashes were read when their removal could not be sent
	ReasonAfterwards Reason = "afterwards"  // the request was over
	ReasonLogoutLate Reason = "late logout" // a client-side session could not be removed from the client
)

// Event describes what happened to a session, for [Config.Observer]. It carries
// no token and no value, and is safe to log.
type Event struct {
	Kind   EventKind
	Reason Reason // "" unless the kind has reasons
	ID     ID     // zero if there is none
	User   string // "" if the session is anonymous
	Detail string // for people to read
	Err    error  // what failed, nil otherwise

	// Claimed is the ID in the token of an [EventRejected], or zero if none can
	// be read. It is not verified: anyone can claim any ID.
	Claimed ID

	// Expires is when the session ends unless it is used before; with
	// [ReasonExpired], when it ended. It is zero if that is unknown.
	Expires time.Time

	// Status is the status that the client got, for [EventFinished]. It is zero if
	// the handler took over the connection, or if the client got a session error
	// instead.
	Status int

	// New, of an EventLogin, means that the login began a new session. Otherwise it
	// took over the one that the client had.
	New bool

	// Answered, of an EventUnavailable or EventFailed, means that the client gets an
	// error because of it. Otherwise the request goes on, or its answer has begun.
	Answered bool

	// Bytes is the size of the session that was loaded or stored, as Config.MaxBytes
	// counts it. It is zero if there is none.
	Bytes int

	// Took is how long the load took that the event belongs to, or the commit until
	// then. It is zero for events outside both.
	Took time.Duration

	// Time is when it happened, by Config.Now, and Request is the request in which
	// it happened. Request is zero outside requests. With the default Observer alone,
	// and no Config.Development, Time, Took and Request.Number are always zero, and
	// the rest of Request is there for events that are logged while the request runs.
	Time    time.Time
	Request Request
}

// Request says which request an [Event] belongs to.
type Request struct {
	Number uint64 // counts the requests of this process that load a session, from 1
	Method string // as sent
	Path   string // without the query
}

// Level returns how much attention the event deserves: Debug for what sessions
// ordinarily do, Info for the end of an outage, Warn for what an operator or
// developer should look into, and Error for failures.
func (e Event) Level() slog.Level {
	switch e.Kind {
	case EventDropped, EventFlashDropped, EventInsecure, EventCookieClash, EventMisconfigured, EventDuplicates, EventLargeCookie, EventReplaced, EventSweepLags:
		return slog.LevelWarn
	case EventTooLate, EventFailed, EventUnavailable, EventAway:
		return slog.LevelError
	case EventBack:
		return slog.LevelInfo
	case EventRejected:
		if e.Reason == ReasonCorrupt || e.Reason == ReasonNewer {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}

// Observer receives the events of sessions. Many goroutines call it, in the middle
// of requests: it must be safe for concurrent use and should return quickly.
type Observer func(ctx context.Context, e Event)

// Observers returns an Observer that passes each event to all of these in turn. Nil
// ones are left out. To count events and keep the default log:
//
//	Observer: core.Observers(core.SlogObserver(nil), count)
func Observers(observers ...Observer) Observer {
	observers = slices.DeleteFunc(slices.Clone(observers), func(o Observer) bool { return o == nil })
	return func(ctx context.Context, e Event) {
		for _, o := range observers {
			o(ctx, e)
		}
	}
}

// SlogObserver returns an Observer that writes events to logger, each at its
// [Event.Level]. Nil means what [slog.Default] returns when the event happens; this is
// the default Observer of a Manager.
func SlogObserver(logger *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		logger, level := logger, e.Level()
		if logger == nil {
			logger = slog.Default() // applications set it after their packages are initialised
		}
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := make([]slog.Attr, 0, 16)
		add := func(key, value string) {
			if value != "" {
				attrs = append(attrs, slog.String(key, value))
			}
		}
		add("reason", string(e.Reason))
		add("session", e.ID.String())
		add("user", e.User)
		add("claimed", e.Claimed.String())
		add("detail", e.Detail)
		if e.Kind == EventRejected && !e.Expires.IsZero() {
			attrs = append(attrs, slog.Time("expired", e.Expires))
		}
		if e.Status != 0 {
			attrs = append(attrs, slog.Int("status", e.Status))
		}
		if e.Request.Number != 0 {
			attrs = append(attrs, slog.Uint64("request", e.Request.Number))
		}
		add("method", e.Request.Method)
		add("path", e.Request.Path)
		if e.New {
			attrs = append(attrs, slog.Bool("new", true))
		}
		if e.Bytes != 0 {
			attrs = append(attrs, slog.Int("bytes", e.Bytes))
		}
		if e.Took != 0 {
			attrs = append(attrs, slog.Duration("took", e.Took))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, "session "+string(e.Kind), attrs...)
	}
}
