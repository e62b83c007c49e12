package core

import (
	"context"
	"log/slog"
	"time"
)

// EventKind says what happened to a session.
type EventKind string

// The kinds of events. The comments say what Reason and Err add.
const (
	EventAbsent       EventKind = "absent"        // a request presented no session cookie; Reason says more
	EventLoaded       EventKind = "loaded"        // a request presented a live session
	EventRejected     EventKind = "rejected"      // a presented token gave no session; Reason says why
	EventCreated      EventKind = "created"       // a new session was stored
	EventSaved        EventKind = "saved"         // changes were stored
	EventTouched      EventKind = "touched"       // the idle expiry was moved
	EventRenewed      EventKind = "renewed"       // the session got a new token
	EventLogin        EventKind = "login"         // the session was bound to a user
	EventLogout       EventKind = "logout"        // the session was ended by its own request
	EventRevoked      EventKind = "revoked"       // the session was ended from elsewhere
	EventConflict     EventKind = "conflict"      // changes are being re-applied to a newer record
	EventDropped      EventKind = "dropped"       // changes were dropped; Reason says why
	EventRolledBack   EventKind = "rolled back"   // a 5xx or a panic undid uncommitted changes
	EventFlashDropped EventKind = "flash dropped" // the oldest unread flash made room
	EventTooLate      EventKind = "too late"      // a change could not be kept any more
	EventFailed       EventKind = "failed"        // a commit failed; Err says why
	EventUnavailable  EventKind = "unavailable"   // the backend could not answer; Err says why
	EventAborted      EventKind = "aborted"       // the client hung up while its session was being loaded
	EventMoved        EventKind = "moved"         // the session was moved to the new backend of a Migration
	EventInsecure     EventKind = "insecure"      // a Secure cookie went out over plain HTTP; reported once
	EventFinished     EventKind = "finished"      // a request is over; Status says how
)

// Reason refines an [Event].
type Reason string

// The reasons of [EventAbsent], [EventRejected], [EventDropped], [EventRevoked]
// and [EventTooLate].
const (
	ReasonMalformed  Reason = "malformed"   // not what any token looks like
	ReasonDuplicate  Reason = "duplicate"   // two cookies of our name with different values
	ReasonUnknown    Reason = "unknown"     // expired and removed, revoked, tampered with or invented
	ReasonExpired    Reason = "expired"     // the idle timeout or the absolute lifetime is over
	ReasonSuperseded Reason = "superseded"  // the token was replaced by Login or Renew
	ReasonNotBefore  Reason = "not before"  // begun before Config.NotBefore or RevokeAll
	ReasonCorrupt    Reason = "corrupt"     // the record could not be read
	ReasonNewer      Reason = "newer"       // the record was written by a newer release
	ReasonCheck      Reason = "check"       // Config.Check ended it
	ReasonEnded      Reason = "ended"       // ended by another request in the meantime
	ReasonReadOnly   Reason = "read-only"   // the backend was unavailable when it was loaded
	ReasonLimit      Reason = "limit"       // made room for a newer login
	ReasonNoCookie   Reason = "no cookie"   // there is none; of a late change: it would have needed one
	ReasonPlainHTTP  Reason = "plain HTTP"  // most browsers keep a Secure cookie back over plain HTTP
	ReasonLateFlash  Reason = "late flash"  // flashes were read when their removal could not be sent
	ReasonAfterwards Reason = "afterwards"  // the request was over
	ReasonLogoutLate Reason = "late logout" // a client-side session could not be removed from the client
)

// Event is told to [Config.Observer]. It carries no token and no value, and
// is safe to log.
type Event struct {
	Kind   EventKind
	Reason Reason // "" unless the kind has reasons
	ID     ID     // zero if there is none
	User   string // "" if the session is anonymous
	Detail string // for people
	Err    error  // what failed, nil otherwise

	// Claimed is the ID in the token of an [EventRejected], zero if it has
	// none that can be read. Nobody has verified it: anyone can claim any.
	Claimed ID

	// Expires is when the session ends unless it is used before; with
	// [ReasonExpired], when it ended. Zero if nobody knows.
	Expires time.Time

	// Status of [EventFinished] is the status that the client got: zero if the
	// connection was taken over, or if an error of the session was answered instead.
	Status int

	// Time is when it happened, by Config.Now, and Request the request in
	// which. Both are zero for the default Observer, and Request outside of requests.
	Time    time.Time
	Request Request
}

// Request says which request an [Event] belongs to.
type Request struct {
	Number uint64 // counts the requests of this process that have a session, from 1
	Method string // as sent
	Path   string // without the query; "" if the adapter does not tell
}

// Level is how much the event deserves attention: Debug for what sessions
// ordinarily do, Warn for what an operator or developer should look into,
// Error for what failed.
func (e Event) Level() slog.Level {
	switch e.Kind {
	case EventDropped, EventFlashDropped, EventInsecure:
		return slog.LevelWarn
	case EventTooLate, EventFailed, EventUnavailable:
		return slog.LevelError
	case EventRejected:
		if e.Reason == ReasonCorrupt || e.Reason == ReasonNewer {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}

// Observer is told what happens to sessions. It is called from many
// goroutines, in the middle of requests, and should return quickly.
type Observer func(ctx context.Context, e Event)

// SlogObserver writes events to logger, each at its [Event.Level]. It is what
// a Manager uses by default, with [slog.Default].
func SlogObserver(logger *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		level := e.Level()
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := make([]slog.Attr, 0, 12)
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
			add("method", e.Request.Method)
			add("path", e.Request.Path)
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		logger.LogAttrs(ctx, level, "session "+string(e.Kind), attrs...)
	}
}

// defaultObserver asks for slog's default logger at every event, because
// applications set it after their packages are initialised.
func defaultObserver(ctx context.Context, e Event) {
	if level := e.Level(); slog.Default().Enabled(ctx, level) {
		SlogObserver(slog.Default())(ctx, e)
	}
}
