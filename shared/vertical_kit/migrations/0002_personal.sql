-- Travellers, contact and the caller's reference, sealed under the owner's key. Rows from before have
-- them in their own columns, which new rows leave empty. Both empty: the owner was erased.
ALTER TABLE orders ADD COLUMN personal TEXT;
