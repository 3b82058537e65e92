/* Whether a deadline may move: the only code that writes it. Outer and inner write the same word, hence the exchanges:
 * whoever sees first that a deadline has passed puts 0 there, and from 0 the same tenure never comes back. */
#include "guard.h"

uint32_t tenure_deadline(struct page *p, uint64_t tenure, uint64_t deadline_ns, uint64_t now, uint64_t cap_ns, bool occupied) {
    if (deadline_ns <= now) return S_PAST;
    if (deadline_ns - now > cap_ns) return S_BEYOND;
    uint64_t last = atomic_load(&p->tenure), old = atomic_load(&p->deadline_ns);
    if (tenure < last || tenure == 0) return S_LATE;
    if (tenure == last) {
        if (old == 0 || old <= now) return S_LATE;
        return atomic_compare_exchange_strong(&p->deadline_ns, &old, deadline_ns) ? S_DONE : S_LATE;
    }
    if (occupied) return S_NOT_EMPTY;
    atomic_store(&p->deadline_ns, 0); /* no reader may pair the new number with the old deadline */
    atomic_store(&p->tenure, tenure);
    atomic_store(&p->deadline_ns, deadline_ns);
    return S_DONE;
}

bool tenure_over(struct page *p, uint64_t tenure, uint64_t now) {
    for (;;) {
        uint64_t deadline_ns = atomic_load(&p->deadline_ns);
        if (deadline_ns == 0 || atomic_load(&p->tenure) != tenure) return true;
        if (now < deadline_ns) return false;
        if (atomic_compare_exchange_strong(&p->deadline_ns, &deadline_ns, 0)) return true;
    }
}

void tenure_close(struct page *p) { atomic_store(&p->deadline_ns, 0); }

void tenure_at_most(struct page *p, uint64_t deadline_ns) {
    uint64_t old = atomic_load(&p->deadline_ns);
    while (old > deadline_ns && !atomic_compare_exchange_weak(&p->deadline_ns, &old, deadline_ns)) continue;
}
