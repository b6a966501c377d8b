-- Which hotel a supplier's code means: one id for the same hotel, whoever sells it.
CREATE TABLE properties (
    supplier TEXT NOT NULL,
    supplier_code TEXT NOT NULL,
    property_id TEXT NOT NULL,
    PRIMARY KEY (supplier, supplier_code)
);

CREATE INDEX properties_id ON properties (property_id);
